"""Runs the OWASP Core Rule Set's own regression tests against a gate, and counts how many pass.

    python3 conformance/waf/crs.py FOLDER http://127.0.0.1:18080 LOG [--level N] [--list]

FOLDER is a checkout of coreruleset/coreruleset; the gate has the rules of that folder, at the level that is tested, 1 by default.
LOG is where the gate tells which rules matched: the audit log of ours, the error log of nginx at `info`, `-` where there is none. A test
is of one rule, and passes when that rule matched, or did not, as the test says; or when the status is the one that it expects. Tests of
what an upstream answers are left out. Without a log a test passes when the request was stopped (403), or wasn't, and tests are
only of rules that suspect what a request says.
"""

import base64
import pathlib
import re
import socket
import sys
import time
import urllib.parse

import yaml

RULE_IN_LOG = re.compile(r'(?:\bid|"rule":)\s*"?(\d{6})\b')


def levels(folder):
    """The paranoia level of each rule."""
    found = {}
    for file in pathlib.Path(folder, "rules").glob("*.conf"):
        for rule in re.split(r"\n(?=SecRule|SecAction)", file.read_text()):
            number = re.search(r'"?\bid:(\d+)', rule)
            level = re.search(r"paranoia-level/(\d)", rule)
            if number and level:
                found[int(number[1])] = int(level[1])
    return found


def written(given, host):
    """A stage's request as bytes."""
    coded = given.get("encoded_request")
    if coded:
        return base64.b64decode(coded)
    fields = dict(given.get("headers") or {})
    data = given.get("data")
    content = b"" if data is None else data if isinstance(data, bytes) else str(data).encode("utf-8", "surrogatepass")
    if given.get("autocomplete_headers", True):
        known = {name.lower() for name in fields}
        standard = {"Connection": "close"}
        if content:
            standard |= {"Content-Length": str(len(content)), "Content-Type": "application/x-www-form-urlencoded"}
        fields |= {name: value for name, value in standard.items() if name.lower() not in known}
    line = f"{given.get('method', 'GET')} {given.get('uri', '/')} {given.get('version', 'HTTP/1.1')}"
    head = [line] + [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(head).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + content


def send(address, request):
    """The status of the answer, or None when there was none."""
    try:
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(request)
            answer = connection.recv(65536)
            status = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
            return int(status[1]) if status else None
    except OSError:
        return None


class Log:
    """What a gate writes, from where it was last read."""

    def __init__(self, path):
        self.file = open(path, errors="replace")
        self.file.seek(0, 2)

    def rules(self, wanted):
        """The rules that matched since the last time. Those that are wanted are waited for, others for a moment."""
        text = ""
        deadline = time.monotonic() + (0.4 if wanted else 0.03)
        while True:
            text += self.file.read()
            rules = {int(rule) for rule in RULE_IN_LOG.findall(text)}
            if (wanted and wanted <= rules) or time.monotonic() > deadline:
                return rules, text
            time.sleep(0.005)


def passes(stage, status, log):
    """Whether a stage went as it says."""
    expected = stage["output"]
    if "status" in expected and status == expected["status"]:
        return True
    if expected.get("expect_error"):
        return status is None or status == 400
    said = expected.get("log")
    if said is None:
        return False
    wanted, unwanted = set(said.get("expect_ids") or []), set(said.get("no_expect_ids") or [])
    if log is None:
        return (status == 403) == bool(wanted)
    rules, text = log.rules(wanted)
    for pattern, holds in ((said.get("match_regex"), True), (said.get("no_match_regex"), False)):
        if pattern and bool(re.search(pattern, text)) != holds:
            return False
    return wanted <= rules and not unwanted & rules


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    folder, log = sys.argv[1], None if sys.argv[3] == "-" else Log(sys.argv[3])
    url = urllib.parse.urlsplit(sys.argv[2])
    level = int(sys.argv[sys.argv.index("--level") + 1]) if "--level" in sys.argv else 1
    known = levels(folder)
    counts = {}
    for file in sorted(pathlib.Path(folder, "tests/regression/tests").glob("REQUEST-9*/*.yaml")):
        document = yaml.safe_load(file.read_text())
        if not document:
            continue
        rule = document["rule_id"]
        if known.get(rule, 1) > level or (log is None and not 930000 <= rule < 945000):
            continue
        for test in document["tests"]:
            good = True
            for stage in test["stages"]:
                if log:
                    log.rules(set())
                status = send((url.hostname, url.port), written(stage["input"], url.hostname))
                good = passes(stage, status, log) and good
            attack = any((stage["output"].get("log") or {}).get("expect_ids") for stage in test["stages"])
            count = counts.setdefault((file.parent.name, attack), [0, 0])
            count[good] += 1
            if not good and "--list" in sys.argv:
                print(f"{rule}-{test['test_id']} ({status}): {test.get('desc', '').strip()[:100]}")
    print("| tests | pass | fail | |\n|---|---|---|---|")
    for attack, name in ((True, "that a rule matches"), (False, "that it doesn't")):
        rows = [count for (_, kind), count in counts.items() if kind == attack]
        report(name, [sum(column) for column in zip(*rows)] or [0, 0])
    for part in sorted({part for part, _ in counts}):
        rows = [count for (name, _), count in counts.items() if name == part]
        report(part, [sum(column) for column in zip(*rows)])
    report("all", [sum(column) for column in zip(*counts.values())])


def report(name, count):
    print(f"| {name} | {count[1]} | {count[0]} | {100 * count[1] / max(1, sum(count)):.1f} % |")


main()
