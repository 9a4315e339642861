"""Runs the OWASP Core Rule Set's own regression tests against a gate, and counts how many pass.

    python3 conformance/waf/crs.py FOLDER http://127.0.0.1:18080 LOG [--level N] [--list]

FOLDER is a checkout of coreruleset/coreruleset; the gate has the rules of that folder, at the level that is tested, 1 by default.
LOG is where the gate tells which rules matched: the audit log of ours, the error log of nginx at `info`, `-` where there is none.
A line of ours names the request that it is of; nginx has written its lines when the answer comes. So everything is sent first, and
nothing depends on how long a gate takes to write. A test is of one rule, and passes when that rule matched, or did not, as the test
says; or when the status is the one that it expects. Tests of what an upstream answers are left out. Without a log a test passes when
the request was stopped (403), or wasn't, and tests are only of rules that suspect what a request says.
"""

import base64
import collections
import json
import pathlib
import re
import socket
import sys
import time
import urllib.parse

import yaml

REPEATED = re.compile(r'\{\{ "(.)" \| repeat (\d+) \}\}')
RULE_IN_LOG = re.compile(r'\[id "(\d+)"\]')
REQUEST_ID = re.compile(rb"(?i)\r\nx-request-id: *(\S+)")

# What became of a request: the status of its answer and what the answer called it, and from where to where the log grew meanwhile.
Outcome = collections.namedtuple("Outcome", "status request_id begin end")

# Any rule set says something about this one.
ATTACK = b"GET /?x=../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


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


def written(given):
    """A stage's request as bytes."""
    coded = given.get("encoded_request")
    if coded:
        return base64.b64decode(coded)
    fields = dict(given.get("headers") or {})
    data = given.get("data")
    if isinstance(data, str):
        data = REPEATED.sub(lambda found: found[1] * int(found[2]), data)
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
    """The status of the answer and the identifier of the request in it, each None when there was none."""
    answer = b""
    try:
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(request)
            while b"\r\n\r\n" not in answer and (more := connection.recv(65536)):
                answer += more
    except OSError:
        pass
    status, request_id = re.match(rb"HTTP/1\.[01] (\d{3})", answer), REQUEST_ID.search(answer)
    return int(status[1]) if status else None, request_id[1].decode() if request_id else None


class Log:
    """What a gate writes while requests are sent."""

    def __init__(self, path, address):
        self.path, self.address = pathlib.Path(path), address
        self.lines = None

    def size(self):
        return self.path.stat().st_size

    def read(self, since):
        """Reads what was written since then, when it is complete: what tells of an attack that is sent now comes last."""
        _, last = send(self.address, ATTACK)
        deadline = time.monotonic() + 10
        while last and last.encode() not in self.path.read_bytes()[since:]:
            if time.monotonic() > deadline:
                sys.exit(f"{self.path} never tells of the request {last}")
            time.sleep(0.05)
        if last:
            self.lines = collections.defaultdict(str)
            for line in self.path.read_text(errors="replace").splitlines():
                entry = json.loads(line)
                self.lines[entry["request_id"]] += "".join(map(told, entry["hits"]))

    def text(self, outcome):
        """What was written about that request."""
        if self.lines is not None:
            return self.lines.get(outcome.request_id, "")
        with self.path.open("rb") as file:
            file.seek(outcome.begin)
            return file.read(outcome.end - outcome.begin).decode(errors="replace")


def told(hit):
    """A match in the audit log in the words of ModSecurity's error log, which tests look for."""
    places = "".join(f" [data \"{hit['data']} found within {place}: \"]" for place in hit["variables"])
    return f'[id "{hit["rule"]}"] [msg "{hit["message"]}"]{places}\n'


def passes(stage, outcome, log):
    """Whether a stage went as it says."""
    expected, status = stage["output"], outcome.status
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
    text = log.text(outcome)
    rules = {int(rule) for rule in RULE_IN_LOG.findall(text)}
    for pattern, holds in ((said.get("match_regex"), True), (said.get("no_match_regex"), False)):
        if pattern and bool(re.search(pattern, text)) != holds:
            return False
    return wanted <= rules and not unwanted & rules


def tests(folder, level, alone):
    """The tests of rules of that level or below, each with its rule and the part that it is of."""
    known = levels(folder)
    for file in sorted(pathlib.Path(folder, "tests/regression/tests").glob("REQUEST-9*/*.yaml")):
        document = yaml.safe_load(file.read_text()) or {"rule_id": 0, "tests": []}
        rule = document["rule_id"]
        if known.get(rule, 1) <= level and (not alone or 930000 <= rule < 945000):
            yield from ((file.parent.name, rule, test) for test in document["tests"])


def run(test, address, log):
    """What became of each request of a test."""
    for stage in test["stages"]:
        begin = log.size() if log else 0
        status, request_id = send(address, written(stage["input"]))
        yield Outcome(status, request_id, begin, log.size() if log else 0)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    url = urllib.parse.urlsplit(sys.argv[2])
    address = (url.hostname, url.port)
    log = None if sys.argv[3] == "-" else Log(sys.argv[3], address)
    level = int(sys.argv[sys.argv.index("--level") + 1]) if "--level" in sys.argv else 1
    since = log.size() if log else 0
    sent = [(*test, list(run(test[2], address, log))) for test in tests(sys.argv[1], level, log is None)]
    if log:
        log.read(since)
    counts = {}
    for part, rule, test, outcomes in sent:
        good = all(passes(stage, outcome, log) for stage, outcome in zip(test["stages"], outcomes))
        attack = any((stage["output"].get("log") or {}).get("expect_ids") for stage in test["stages"])
        count = counts.setdefault((part, attack), [0, 0])
        count[good] += 1
        if not good and "--list" in sys.argv:
            print(f"{rule}-{test['test_id']} ({outcomes[-1].status}): {test.get('desc', '').strip()[:100]}")
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
