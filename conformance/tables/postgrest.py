#!/usr/bin/env python3
"""postgrest.py SPECS URL [--list]: asks a gate before PostgREST's fixtures what PostgREST's own specs ask by plain GET.

SPECS is the folder test/spec/Feature of PostgREST. A case is a `get "/path"` with the JSON or the status that it must give; those with
fields, contents or settings of their own are left out. JSON is compared as such: rows in their order, members in any."""

import http.client
import json
import pathlib
import re
import sys
import urllib.parse

CASE = re.compile(
    r'(?<!request )\bget\s+"((?:[^"\\]|\\.)*)"\s*`shouldRespondWith`\s*(\[json\|.*?\|\]|\d+)'
    r"(\s*\{[^}]*matchStatus\s*=\s*(\d+))?",
    re.S,
)
LEFT_OUT = ("PostGIS", "Auth")
PATH = "/?&=:,()*.!~'$;@+%[]{}\"<>|-_"


def cases(specs):
    for file in sorted(pathlib.Path(specs).rglob("*.hs")):
        if any(word in str(file) for word in LEFT_OUT):
            continue
        text = file.read_text(encoding="utf8")
        for found in CASE.finditer(text):
            path, expected, _, status = found.groups()
            if "\\&" in path:
                continue
            try:
                if expected.startswith("[json|"):
                    status, content = int(status or 200), json.loads(expected[6:-2])
                else:
                    status, content = int(expected), None
            except ValueError:
                continue
            line = text[: found.start()].count("\n") + 1
            path = path.replace('\\"', '"').replace("\\\\", "\\")
            yield f"{file.name}:{line}", path, status, content


def passes(connection, path, status, content):
    connection.request("GET", urllib.parse.quote(path, safe=PATH), headers={"Accept": "application/json"})
    answer = connection.getresponse()
    body = answer.read()
    try:
        return answer.status == status and (content is None or json.loads(body) == content)
    except ValueError:
        return False


def main():
    specs, url = sys.argv[1:3]
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=10)
    asked = passed = 0
    for place, path, status, content in cases(specs):
        asked += 1
        try:
            good = passes(connection, path, status, content)
        except (OSError, http.client.HTTPException, UnicodeError):
            connection.close()
            good = False
        passed += good
        if not good and "--list" in sys.argv:
            print(f"{place} {path}")
    print(f"{passed} of {asked}")


main()
