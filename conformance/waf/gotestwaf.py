"""Sends the cases of wallarm/gotestwaf to a gate, and counts which it stops.

    python3 conformance/waf/gotestwaf.py FOLDER http://127.0.0.1:18080 [--list]

FOLDER is `testcases` of a checkout. A case is a payload in one coding at one place of a request. It is stopped when the answer is
403, and passes with any other answer of the server behind (200, 404); what is refused as bad HTTP, 400 and the like, counts as
neither. Cases of gRPC are left out. `--list` prints what passes, and which benign requests are stopped.
"""

import base64
import http.client
import pathlib
import random
import sys
import urllib.parse

import yaml

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
SOAP = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">
<soapenv:Header/><soapenv:Body><find><{0}>{1}</{0}></find></soapenv:Body></soapenv:Envelope>"""


def encode(payload, encoder):
    """The payload in one of the codings that cases name."""
    if encoder == "Plain":
        return payload
    if encoder == "URL":
        return urllib.parse.quote(payload, safe="$&+:=@~")
    if encoder in ("Base64", "Base64Flat"):
        coded = base64.b64encode(payload.encode("utf-8", "surrogatepass")).decode()
        return coded.replace("=", "") if encoder == "Base64Flat" else coded
    raise ValueError(f"unknown encoder {encoder}")


def unicode_escapes(text):
    """Every character as an escape of JSON."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def references(text):
    """A text of XML."""
    for character, reference in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;")):
        text = text.replace(character, reference)
    return text


def request(place, payload, chance):
    """The method, target, fields and content of a request with the payload at a place, or None where we send no such requests."""
    settings = {}
    if isinstance(place, dict):
        (place, settings), = place.items()
    name = f"{chance.getrandbits(40):010x}"
    if place == "URLParam":
        return "GET", f"/?{name}={payload}", {}, None
    if place == "URLPath":
        return "GET", f"/{payload}", {}, None
    if place == "Header":
        return "GET", "/", {f"X-{name}": payload}, None
    if place == "UserAgent":
        return "GET", "/", {"User-Agent": payload}, None
    if place == "HTMLForm":
        return "POST", "/", {"Content-Type": "application/x-www-form-urlencoded"}, f"{name}={payload}"
    if place == "HTMLMultipartForm":
        boundary = f"{chance.getrandbits(120):030x}"
        disposition = f'Content-Disposition: form-data; name="{name}"'
        content = f"--{boundary}\r\n{disposition}\r\n\r\n{payload}\r\n--{boundary}--\r\n"
        return "POST", "/", {"Content-Type": f"multipart/form-data; boundary={boundary}"}, content
    if place == "JSONRequest":
        content = f'{{"test": true, "{name}": "{unicode_escapes(payload)}"}}'
        return "POST", "/", {"Content-Type": "application/json"}, content
    if place == "JSONBody":
        return "POST", "/", {"Content-Type": "application/json"}, payload
    if place == "XMLBody":
        return "POST", "/", {"Content-Type": "application/xml"}, payload
    if place == "SOAPBody":
        return "POST", "/", {"Content-Type": "text/xml"}, SOAP.format("ab" + name, references(payload))
    if place == "RequestBody":
        return "POST", "/", {}, payload
    if place == "GraphQL" and settings["method"] == "GET":
        return "GET", "/?query=" + urllib.parse.quote_plus(payload), {}, None
    if place == "GraphQL":
        return "POST", "/", {}, payload
    if place == "RawRequest":
        fill = lambda text: text.replace("{{payload}}", payload)
        fields = {field: fill(value) for field, value in settings.get("headers", {}).items()}
        return settings["method"], fill(settings.get("path", "/")), fields, fill(settings.get("body", ""))
    return None


def send(host, port, method, target, fields, content):
    """The status of the answer, or None when there was none or the request can't be written."""
    connection = http.client.HTTPConnection(host, port, timeout=20)
    # A target or a field that the library finds wrong is sent as it is.
    connection._validate_path = lambda target: None
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in ({"User-Agent": BROWSER, "Accept": "*/*"} | fields).items():
            connection.putheader(name, value.encode("utf-8", "surrogatepass"))
        body = content.encode("utf-8", "surrogatepass") if content is not None else None
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def cases(folder):
    """The set, type, payload, encoder and place of each case."""
    for file in sorted(pathlib.Path(folder).glob("*/*.yml")):
        # The files have escapes that are none in YAML.
        text = file.read_text().replace("\\'", "'")
        document = yaml.safe_load(text)
        for payload in document["payload"]:
            for encoder in document["encoder"]:
                for place in document["placeholder"]:
                    yield file.parent.name, document.get("type", file.stem), str(payload), encoder, place


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    address = urllib.parse.urlsplit(sys.argv[2])
    listing = "--list" in sys.argv
    chance = random.Random(7)
    counts = {}
    for suite, kind, payload, encoder, place in cases(sys.argv[1]):
        made = request(place, encode(payload, encoder), chance)
        if made is None:
            continue
        status = send(address.hostname, address.port, *made)
        outcome = "stopped" if status == 403 else "passed" if status in (200, 404) else "refused"
        count = counts.setdefault(suite, {"stopped": 0, "passed": 0, "refused": 0})
        count[outcome] += 1
        wrong = "stopped" if suite.startswith("false") else "passed"
        if listing and outcome == wrong:
            print(f"{suite} {kind} {encoder} {place if isinstance(place, str) else next(iter(place))}: {payload[:120]!r}")
    print("| set | stopped | passed | refused as bad HTTP | stopped of those that weren't |\n|---|---|---|---|---|")
    for suite, count in sorted(counts.items()):
        judged = max(1, count["stopped"] + count["passed"])
        share = 100 * count["stopped"] / judged
        print(f"| {suite} | {count['stopped']} | {count['passed']} | {count['refused']} | {share:.1f} % |")


main()
