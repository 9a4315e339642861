#!/usr/bin/env python3
"""Attacks an API of tables on SQLite, PostgreSQL and MariaDB, and reads the databases' own logs of statements.

    attack.py GATE [--sqlmap PROGRAM] [--seconds N] [--port PORT]

It starts servers of its own in a new folder (as root, by the accounts that Debian's packages made), and the gate. Then it
sends hostile texts to every place that a client can fill, and lets sqlmap try the same places. It fails when an answer holds
the marker of what isn't exposed, when an answer is 5xx without being a time limit or a full pool, when sqlmap finds a place to
inject, or when a statement in a log has a word that statements of harmless requests don't have.
"""
import argparse
import base64
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
MARKER = "cAnArY7f3a"
ENGINES = ["sqlite", "postgres", "mariadb"]
# Stands in every hostile text, so that a text that became a part of a statement is found in the log.
TOKEN = "zqxj"

HOSTILE = [
    "' OR '1'='1", "1 OR 1=1", "1; DROP TABLE secrets; --", "1) UNION SELECT marker FROM secrets --", "\" OR \"\"=\"", "` OR 1=1 -- ",
    "' UNION ALL SELECT NULL,marker,NULL FROM secrets#", "\\' OR 1=1 -- ", "\\", "%27%20OR%201=1", "$1", "?1", ":word", "{claims.sub}",
    "'||(SELECT marker FROM secrets LIMIT 1)||'", "1/*", "*/ OR 1=1 /*", "0x27", "\u02bc OR 1=1", "\uff07 OR 1=1", "''", "eq.1", "not.eq.1",
    "eq.1;select pg_sleep(5)", "(select marker from secrets)", "pg_sleep(5)", "sleep(5)", "1e400", "NaN", "-0", "9" * 40, "\x00", "\ud7ff",
    "eq.(1,2)", "in.(1,2", "in.()", "in.(\"a\",\"b'\")", "cs.{\"a\"}", "and(or(not.and(id.eq.1)))", "*", "secrets(*)", "hidden",
    "secrets.marker", "of_secret(marker)", "customers!of_customer(hidden)", "orders(customers(hidden))", "id::text;--", "id::hidden",
    "count()", "hidden.count()", "hidden.max()", "$resource", "rowid", "ctid", "xmin", "tableoid::regclass", "_rowid_", "oid",
    "sqlite_master", "pg_catalog.pg_class", "information_schema.tables", "name->hidden", "name->>'x' from secrets --", "a\"b", "a`b", "a.b.c",
]

# Where a client can put a text: method, path, and fields or a body, with `{}` for it (`{json}` within JSON).
PLACES = [
    ("GET", "/orders?{}=eq.1"), ("GET", "/orders?id={}"), ("GET", "/orders?id=eq.{}"), ("GET", "/orders?note=eq.{}"),
    ("GET", "/orders?note=like.{}"), ("GET", "/orders?note=ilike.*{}*"), ("GET", "/orders?note=in.({})"), ("GET", "/orders?note=fts.{}"),
    ("GET", "/orders?note=isdistinct.{}"), ("GET", "/orders?id=is.{}"), ("GET", "/orders?note=eq(any).{{{}}}"), ("GET", "/orders?placed=gt.{}"),
    ("GET", "/orders?select={}"), ("GET", "/orders?select=id,{}"), ("GET", "/orders?select=id,alias:{}"), ("GET", "/orders?select={}:id"),
    ("GET", "/orders?select=id::{}"), ("GET", "/orders?select=customers({})"), ("GET", "/orders?select=customers!{}(id)"), ("GET", "/orders?select={}(*)"),
    ("GET", "/orders?order={}"), ("GET", "/orders?order=id.{}"), ("GET", "/orders?order=customers({})&select=id,customers(id)"),
    ("GET", "/orders?limit={}"), ("GET", "/orders?offset={}"), ("GET", "/orders?after={}"), ("GET", "/orders?before={}"),
    ("GET", "/orders?union={}"), ("GET", "/orders?select=id&union=customers,{}"), ("GET", "/orders?or=({})"), ("GET", "/orders?and=(id.eq.1,{})"),
    ("GET", "/orders?select=owner,count()&having=({})"), ("GET", "/orders?select=owner,n:count()&having=(n.gt.{})"), ("GET", "/orders?select=id,n:{}.sum()"),
    ("GET", "/orders?customers.{}=eq.1&select=id,customers(id)"), ("GET", "/orders?customers.name=eq.{}&select=id,customers!inner(id)"),
    ("GET", "/orders/{}"), ("GET", "/orders/1?select={}"), ("GET", "/{}"), ("GET", "/customers/{}?select=*,orders(*)"), ("GET", "/rpc/{}"),
    ("GET", "/rpc/found?word={}"), ("GET", "/rpc/found?word=a&{}=1"), ("GET", "/rpc/found?word=a&note=eq.{}"),
    ("GET", "/orders", {"Prefer": "count={}"}), ("GET", "/orders", {"Prefer": "timezone={}"}), ("GET", "/orders", {"Range": "{}"}),
    ("GET", "/orders", {"Range": "items=0-1{}"}), ("GET", "/orders", {"Accept": "{}"}), ("GET", "/orders", {"Accept": "application/json;x={}"}),
    ("GET", "/orders/1", {"If-None-Match": "\"{}\""}), ("GET", "/orders?{}", {"Prefer": "count=exact"}), ("GET", "/orders?note=eq.{}", {"Prefer": "count=planned"}),
    ("POST", "/orders/$query", {"Content-Type": "application/x-www-form-urlencoded"}, "note=eq.{}"),
    ("POST", "/orders/$query", {"Content-Type": "application/json"}, "[\"{json}\"]"),
    ("POST", "/customers?on_conflict={}", {"Prefer": "resolution=merge-duplicates"}, "[{\"id\":1,\"name\":\"Ada\"}]"),
    ("POST", "/customers?columns={}", {}, "{\"id\":1,\"name\":\"Ada\"}"), ("POST", "/customers?select={}", {"Prefer": "return=representation"}, "{\"id\":1,\"name\":\"Ada\"}"),
    ("POST", "/customers", {}, "{\"id\":1,\"name\":\"{json}\"}"), ("POST", "/customers", {}, "{\"{json}\":1}"), ("POST", "/customers", {}, "{\"id\":\"{json}\",\"name\":\"a\"}"),
    ("POST", "/customers", {"Content-Type": "text/csv"}, "id,{}\n1,a\n"), ("POST", "/customers", {"Content-Type": "text/csv"}, "id,name\n1,{}\n"),
    ("POST", "/customers", {"Content-Type": "{}"}, "{\"id\":1}"), ("POST", "/customers", {"Prefer": "resolution={}"}, "{\"id\":1,\"name\":\"x\"}"),
    ("PATCH", "/orders?id=eq.{}", {}, "{\"note\":\"x\"}"), ("PATCH", "/orders/1", {}, "{\"note\":\"{json}\"}"), ("PATCH", "/orders/1", {}, "{\"{json}\":1}"),
    ("PATCH", "/orders/1?select={}", {"Prefer": "return=representation"}, "{\"note\":\"x\"}"), ("PATCH", "/orders/1", {"If-Match": "\"{}\""}, "{\"note\":\"x\"}"),
    ("PATCH", "/orders/3", {}, "{\"note\":\"{json}\"}"), ("PATCH", "/orders/1", {}, "{\"total\":\"{json}\"}"),
    ("PUT", "/customers/{}", {}, "{\"name\":\"x\"}"), ("PUT", "/customers/2", {"Prefer": "return=representation"}, "{\"name\":\"{json}\",\"owner\":\"ada\"}"),
    ("DELETE", "/orders/{}"), ("DELETE", "/orders?id=eq.99&note=eq.{}"), ("DELETE", "/orders?id=eq.99&order={}"),
    ("POST", "/$tx", {}, "{\"ops\":[{\"patch\":\"orders?id=eq.{json}\",\"values\":{\"note\":\"x\"}}]}"),
    ("POST", "/$tx", {}, "{\"ops\":[{\"patch\":\"orders/{json}\",\"values\":{\"note\":\"{json}\"}}]}"), ("POST", "/$tx", {}, "{\"ops\":[{\"get\":\"{json}\"}]}"),
    ("POST", "/$tx", {}, "{\"ops\":[{\"insert\":\"customers\",\"values\":{\"{json}\":1}}]}"), ("POST", "/$tx", {}, "{\"isolation\":\"{json}\",\"ops\":[{\"get\":\"orders\"}]}"),
    ("POST", "/$tx", {}, "{\"ops\":[{\"as\":\"a\",\"patch\":\"orders/1\",\"values\":{}},{\"patch\":\"orders/2\",\"values\":{\"note\":{\"$ref\":\"a.{json}\"}}}]}"),
    ("POST", "/$tx", {}, "{\"ops\":[{\"patch\":\"orders/1\",\"if_match\":\"\\\"{json}\\\"\",\"values\":{\"note\":\"x\"}}]}"),
    ("POST", "/$tx", {}, "{\"{json}\":1}"), ("POST", "/rpc/found", {}, "{\"word\":\"{json}\"}"), ("POST", "/rpc/found", {}, "{\"{json}\":\"a\"}"),
    ("OPTIONS", "/{}"), ("GET", "/openapi.json"), ("HEAD", "/orders?note=eq.{}"),
]

# Harmless requests, from whose statements is learned of which words statements are made.
HARMLESS = [
    "/orders?id=eq.1", "/orders?id=in.(1,2)&note=like.a*&total=gte.1&placed=lt.2030-01-01", "/orders?note=ilike.*a*&owner=neq.x&total=lte.5&id=gt.1",
    "/orders?or=(id.eq.1,not.and(note.is.null,total.gt.3))&order=note.desc.nullslast,id", "/orders?order=note.asc.nullsfirst", "/orders?order=note.desc",
    "/orders?select=id,customers(id,name)&customers.name=eq.a", "/orders?select=id,customers!inner(id)&customers.name=eq.a", "/customers?select=*,orders(*)",
    "/orders?select=owner,count(),total.sum(),total.avg(),total.min(),total.max()", "/orders?select=owner,n:count()&having=(n.gt.1)", "/orders?select=id::text,total::integer",
    "/orders?select=id,owner&union=customers", "/orders?select=id&union=distinct(customers)", "/orders?limit=1&offset=1", "/orders?limit=1", "/orders/1", "/orders/77",
    "/orders?note=isdistinct.a&id=is.not_null", "/orders?note=eq(any).{a,b}&id=neq(all).{4,5}", "/rpc/found?word=a", "/orders?note=not.in.(a,b)", "/orders?order=customers(name)&select=id,customers(name)",
    "/orders?note=like(any).{a,b}&owner=ilike(all).{a,b}", "/orders?note=fts.a", "/orders?note=plfts.a", "/orders?note=phfts.a", "/orders?note=wfts.a", "/customers?select=id&orders=not.is.null",
    "/orders?customers=is.null&select=id,customers()", "/customers?select=id,orders(count())", "/orders?select=*&id=is.null&note=is.unknown", "/customers?select=name,...orders(total.sum())",
    "/orders?select=id,...customers(name)", "/orders?id=eq.1&id=isdistinct.3", "/orders?select=note->a,note->>b", "/orders?note=not.fts.a", "/orders?placed=eq.2026-01-01&note=is.not_null",
]

# What the gate asks by itself about the plans of statements that it ran, and what stands before such a statement.
OWN = r"explain \(format json\) execute portcullis_\d+(\((null|, )*\))?$|deallocate portcullis_\d+$|set local plan_cache_mode = force_generic_plan$|select quote_ident\(n\.nspname\) from pg_catalog\.pg_extension |select cardinality\(parameter_types\)"
PLANS = r"^(prepare portcullis_\d+ as |explain \(format json\) |EXPLAIN FORMAT=JSON )"

failures, kinds = [], {}


def fail(text):
    """Notes a failure, of each kind the first few."""
    kind = re.sub(r"[^A-Za-z/ ]", "", text)[:40]
    kinds[kind] = kinds.get(kind, 0) + 1
    if kinds[kind] <= 3:
        print("FAILED:", text[:1500], flush=True)
    failures.append(text)


class Servers:
    """A PostgreSQL and a MariaDB with logs of all statements, a file of SQLite, and the gate."""

    def __init__(self, gate, port, schema, configuration, is_logged=True):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-tables-"))
        self.folder.chmod(0o755)
        self.port, self.processes, self.gate, self.is_logged = port, [], None, is_logged
        self.environment = dict(os.environ, PORT=str(port), SQLITE_URL=f"sqlite:{self.folder}/shop.db",
                                POSTGRES_URL=f"postgres://postgres@127.0.0.1:{port + 1}/postgres",
                                MARIADB_URL=f"mysql://gate:gate@127.0.0.1:{port + 2}/shop")
        self.client("sqlite", schema("sqlite"))
        try:
            self.postgres(schema("postgres"))
            self.mariadb(schema("mariadb"))
            self.start(gate, configuration)
        except BaseException:
            self.stop()
            raise

    def start(self, gate, configuration, engine="sqlite"):
        log = open(self.folder / "gate.log", "w")
        self.gate = self.run([gate, "run", str(configuration)], stdout=log, stderr=log, env=self.environment)
        self.wait(lambda: ask(engine, "GET", "/openapi.json", port=self.port)[0] in (200, 404), "the gate", self.folder / "gate.log")

    def client(self, engine, sql):
        """What a database answers to SQL that goes past the gate."""
        command = {
            "sqlite": ["sqlite3", self.folder / "shop.db"],
            "postgres": ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port + 1, "-U", "postgres"],
            "mariadb": ["mariadb", "--no-defaults", "-N", f"--socket={self.folder}/mariadb/socket", "-u", "root", "shop"],
        }[engine]
        return subprocess.run([str(part) for part in command], input=sql, text=True, stdout=subprocess.PIPE, check=True).stdout

    def run(self, command, **more):
        process = subprocess.Popen([str(part) for part in command], **more)
        self.processes.append(process)
        return process

    def wait(self, ready, what, log):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                if ready():
                    return
            except OSError:
                pass
            time.sleep(0.1)
        sys.exit(f"{what} doesn't start: {pathlib.Path(log).read_text()[-3000:]}")

    def owned(self, name, account):
        folder = self.folder / name
        folder.mkdir()
        if os.getuid() == 0:
            shutil.chown(folder, account)
        return folder

    def postgres(self, schema):
        bin = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        folder, user = self.owned("postgres", "postgres"), {"user": "postgres"} if os.getuid() == 0 else {}
        subprocess.run([bin / "initdb", "-D", folder / "data", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"], check=True,
                       stdout=subprocess.DEVNULL, cwd=folder, **user)
        self.postgres_log = self.folder / "postgres.log"
        log = open(self.postgres_log, "w")
        self.run([bin / "postgres", "-D", folder / "data", "-p", self.port + 1, "-c", f"unix_socket_directories={folder}", "-c", "log_statement=" + ("all" if self.is_logged else "none"),
                  "-c", "fsync=off", "-c", "log_min_error_statement=panic", "-c", "log_min_messages=log", "-c", "log_error_verbosity=terse", "-c", "log_line_prefix=%m ",
                  "-c", "log_parameter_max_length=0"], stdout=log, stderr=log, cwd=folder, **user)
        client = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port + 1), "-U", "postgres"]
        self.wait(lambda: subprocess.run(client + ["-c", "select 1"], capture_output=True).returncode == 0, "PostgreSQL", self.postgres_log)
        self.client("postgres", schema)

    def mariadb(self, schema):
        folder, user = self.owned("mariadb", "mysql"), {"user": "mysql"} if os.getuid() == 0 else {}
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={folder}/data", "--auth-root-authentication-method=normal", "--skip-test-db"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **user)
        self.mariadb_log = folder / "statements.log"
        log = open(self.folder / "mariadb.log", "w")
        self.run([shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/bin"), "--no-defaults", f"--datadir={folder}/data", f"--port={self.port + 2}", "--bind-address=127.0.0.1",
                  f"--socket={folder}/socket", f"--pid-file={folder}/pid", f"--general-log={int(self.is_logged)}", "--innodb-buffer-pool-size=256M", f"--general-log-file={self.mariadb_log}",
                  "--character-set-server=utf8mb4"], stdout=log, stderr=log, cwd=folder, **user)
        client = ["mariadb", "--no-defaults", f"--socket={folder}/socket", "-u", "root"]
        self.wait(lambda: subprocess.run(client + ["-e", "select 1"], capture_output=True).returncode == 0, "MariaDB", self.folder / "mariadb.log")
        grants = "CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE USER gate@'127.0.0.1' IDENTIFIED BY 'gate'; GRANT ALL ON shop.* TO gate@'127.0.0.1';"
        subprocess.run(client, input=grants, text=True, check=True)
        self.client("mariadb", schema)

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM if process is self.gate else signal.SIGINT)
            # MariaDB ends by SIGTERM only.
            if "mariadbd" in str(process.args[0]):
                process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        if not failures:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print("kept:", self.folder)


PORT = 18900
connection = None


def ask(engine, method, path, fields=None, body=None, port=None):
    """Status, fields and content of an answer, all as bytes that are searched for the marker."""
    global connection
    for attempt in range(2):
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", port or PORT, timeout=30)
        try:
            connection.putrequest(method, f"/{engine}{path}", skip_accept_encoding=True)
            fields = dict(fields or {})
            if body is not None:
                fields.setdefault("Content-Type", "application/json")
                fields["Content-Length"] = str(len(body))
            for name, value in fields.items():
                connection.putheader(name, value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, str(answer.headers), answer.read()
        except (http.client.HTTPException, OSError):
            connection = None
            if attempt:
                raise
        except ValueError:
            # A text that Python's client refuses to send, such as a line end in a field.
            connection = None
            return 0, "", b""


def judge(what, status, fields, content):
    text = content.decode("utf-8", "replace")
    for place, found in (("content", text), ("fields", fields)):
        decoded = found + "".join(tokens(found))
        if MARKER in decoded:
            fail(f"{what}: the marker is in the {place}: {found[:600]}")
    if status >= 500 and status not in (503, 504):
        fail(f"{what}: {status} {text[:400]}")


def tokens(text):
    """What hides in base64: cursors and tags."""
    for found in re.findall(r"[A-Za-z0-9_-]{12,}", text):
        try:
            yield base64.urlsafe_b64decode(found + "=" * (-len(found) % 4)).decode("utf-8", "ignore")
        except ValueError:
            pass


def fill(template, text, is_path):
    if is_path:
        text = urllib.parse.quote(text.encode("utf-8", "surrogatepass"), safe="().,:!*$>-%" if random.random() < 0.5 else "")
        return template.replace("{{", "\0").replace("}}", "\1").replace("{}", text).replace("\0", "{").replace("\1", "}").replace("{", "%7B").replace("}", "%7D").replace('"', "%22")
    return template.replace("{json}", json.dumps(text)[1:-1]).replace("{}", text)


def hostile(engine):
    for place in PLACES:
        method, path, fields, body = place + ({}, None)[len(place) - 2:] if len(place) < 4 else place
        for text in HOSTILE:
            for text in (text, text + TOKEN, TOKEN + text):
                target = fill(path, text, True)
                headers = {name: fill(value, text, False) for name, value in fields.items()}
                content = None if body is None else fill(body, text, False).encode("utf-8", "surrogatepass")
                what = f"{method} /{engine}{target} {headers or ''} {content or ''}"
                try:
                    judge(what, *ask(engine, method, target, headers, content))
                except (http.client.HTTPException, OSError) as problem:
                    fail(f"{what}: {problem!r}")


def probes(engine):
    """What a client can find out by asking cleverly."""
    def get(path, **fields):
        status, said, content = ask(engine, "GET", path, {name.replace("_", "-"): value for name, value in fields.items()})
        judge(f"GET /{engine}{path}", status, said, content)
        return status, said, content

    # The same answer whether a guess is right or wrong.
    for right, wrong in [
        (f"/orders?select=id&customers.hidden=eq.{MARKER}-1", "/orders?select=id&customers.hidden=eq.no"), (f"/customers?hidden=eq.{MARKER}-1", "/customers?hidden=eq.no"),
        ("/customers?order=hidden.asc", "/customers?order=hidden.desc"), (f"/customers?or=(hidden.eq.{MARKER}-1,id.eq.9)", "/customers?or=(hidden.eq.no,id.eq.9)"),
        (f"/customers?name=eq.{MARKER}-2", "/customers?name=eq.no-such"), ("/customers/2", "/customers/9"), ("/orders/3", "/orders/9"),
        (f"/orders?select=id,secrets(id)&secrets.marker=eq.{MARKER}-5", "/orders?select=id,secrets(id)&secrets.marker=eq.no"), ("/secrets", "/no-such"), ("/secrets/1", "/no-such/1"),
        ("/orders?select=id&union=secrets", "/orders?select=id&union=no-such"),
    ]:
        shapes = []
        for path in (right, wrong):
            status, _, content = get(path)
            text = re.sub(r'"(instance|request_id|trace_id|id)":"[^"]*"', "", content.decode())
            shapes.append((status, re.sub(r"secrets|no-such|hidden|no\b", "", text.replace(MARKER, ""))))
        if shapes[0] != shapes[1]:
            fail(f"{engine}: {right} and {wrong} differ: {shapes}")
    # Counts of rows that the caller may not see.
    for how in ("exact", "planned", "estimated"):
        for path in ("/orders", "/customers", "/orders?total=gt.50", "/orders?select=id,customers!inner(id)"):
            _, said, content = get(path, Prefer=f"count={how}")
            total, allowed = re.search(r"content-range: [^/]*/(\d+)", said, re.I), len(json.loads(content))
            if not total or int(total.group(1)) != allowed:
                fail(f"{engine}: {path} count={how}: {total and total.group(1)} and {allowed} may be seen")
    # Cursors that were changed.
    _, said, _ = get("/orders?limit=1&select=id")
    for cursor in re.findall(r"after=([^>&]+)", said):
        members = json.loads(base64.urlsafe_b64decode(urllib.parse.unquote(cursor) + "=="))
        for value in [0, -1, "0", "' or 1=1 --", None, [1], {"a": 1}, True, 1e300, 2**70, ["AAA="]]:
            forged = base64.urlsafe_b64encode(json.dumps([members[0], *[value] * (len(members) - 1)]).encode()).decode().rstrip("=")
            for word in ("after", "before"):
                status, _, content = get(f"/orders?limit=5&select=id&{word}={forged}")
                if status == 200 and any(row["id"] == 3 for row in json.loads(content)):
                    fail(f"{engine}: a cursor shows a row of somebody else: {value!r}")
    # Rows of others are neither changed nor taken over, and the answers say nothing of them.
    for method, path, fields, body in [
        ("PUT", "/orders/3", {}, {"customer_id": 1, "owner": "ada"}), ("PATCH", "/orders/3", {}, {"note": "x"}), ("DELETE", "/orders/3", {}, None),
        ("PATCH", "/orders?id=gt.0", {}, {"owner": "bob"}), ("POST", "/orders", {"Prefer": "resolution=merge-duplicates,return=representation"}, {"id": 3, "customer_id": 1}),
        ("POST", "/orders", {"Prefer": "resolution=ignore-duplicates,return=representation"}, {"id": 3, "customer_id": 1}),
        ("POST", "/customers?on_conflict=hidden", {"Prefer": "resolution=merge-duplicates,return=representation"}, {"id": 7, "name": "n"}),
        ("POST", "/customers", {"Prefer": "return=representation"}, {"id": 8, "name": "n", "hidden": f"{MARKER}-1"}),
        ("POST", "/customers?on_conflict=name", {"Prefer": "resolution=merge-duplicates,return=representation"}, {"id": 7, "name": f"{MARKER}-2"}),
        ("POST", "/customers?select=*,orders(*)", {"Prefer": "resolution=merge-duplicates,return=representation"}, {"id": 2, "name": "mine", "owner": "ada"}),
        ("POST", "/$tx", {}, {"ops": [{"patch": "orders/3", "values": {"note": "x"}}]}), ("POST", "/$tx", {}, {"ops": [{"get": "orders/3"}, {"get": "secrets"}]}),
        ("POST", "/$tx", {}, {"ops": [{"get": "customers?select=*,orders(*)"}, {"get": "orders?order=id"}]}),
        ("POST", "/$tx", {}, {"ops": [{"as": "a", "patch": "customers/1", "values": {"name": "Ada"}}, {"patch": "orders/1", "values": {"note": {"$ref": "a.hidden"}}, "select": "note"}]}),
        ("POST", "/$tx", {}, {"ops": [{"put": "orders/3", "values": {"customer_id": 1, "owner": "ada"}, "select": "*"}]}),
    ]:
        content = None if body is None else json.dumps(body).encode()
        status, said, answer = ask(engine, method, path, fields, content)
        judge(f"{method} /{engine}{path} {body}", status, said, re.sub(rb'-2"?', b"", answer.replace(json.dumps(body or "").encode(), b"")))


def state(servers, engine):
    """What may not have changed, read past the gate."""
    sql = "SELECT id, note, owner FROM orders WHERE owner = 'bob' OR id = 3 ORDER BY id; SELECT id, name, hidden FROM customers WHERE id = 2; SELECT count(*) FROM secrets;"
    return servers.client(engine, sql)


def statements(servers, engine, begin):
    """The texts of statements in the database's log from that byte on, and where it ends."""
    path = servers.postgres_log if engine == "postgres" else servers.mariadb_log
    with open(path, "rb") as log:
        log.seek(begin)
        text = log.read().decode("utf-8", "replace")
        end = log.tell()
    if engine == "postgres":
        found = re.findall(r"LOG:  (?:statement|execute [^:]+): (.*?)(?=\n\d{4}-\d\d-\d\d |\Z)", text, re.S)
    else:
        found = re.findall(r"\t\s*\d+ (?:Prepare|Query)\t(.*?)(?=\n(?:\d{6}|\t)|\Z)", text, re.S)
    return {re.sub(PLANS, "", text) for text in found if not re.match(OWN, text)}, end


def words(statement):
    return set(re.findall(r"'(?:[^']|'')*'|\"[^\"]+\"|`[^`]+`|[A-Za-z_][A-Za-z0-9_]*|--|/\*|;|#", re.sub(r"[$:?]\d+|\b\d+\b", "", statement)))


def normal(statement):
    """Without what the writer numbers by itself."""
    return {re.sub(r"\d+", "0", word).lower() for word in words(statement)}


def sqlmap(program, engine, seconds):
    """Lets sqlmap try the places that matter, and returns the number of places that it says can be injected."""
    base, found = f"http://127.0.0.1:{PORT}/{engine}", 0
    dbms = {"sqlite": "SQLite", "postgres": "PostgreSQL", "mariadb": "MySQL"}[engine]
    targets = [
        (["-u", f"{base}/orders?id=eq.1*&select=id*&order=id*&limit=1*"], []), (["-u", f"{base}/orders?note=like.a*&or=(id.eq.1*)&after=x*&union=customers*"], []),
        (["-u", f"{base}/orders/1*"], []), (["-u", f"{base}/rpc/found?word=a*"], []),
        (["-u", f"{base}/customers", "--method", "POST", "--data", '{"id":"1*","name":"Ada*"}', "-H", "Content-Type: application/json"], []),
        (["-u", f"{base}/orders/1", "--method", "PATCH", "--data", '{"note":"a*","total":"1*"}', "-H", "Content-Type: application/json"], []),
        (["-u", f"{base}/$tx", "--data", '{"ops":[{"patch":"orders?id=eq.1*","values":{"note":"x*"},"select":"id*"}]}', "-H", "Content-Type: application/json"], []),
        (["-u", f"{base}/orders", "-H", "Prefer: count=exact*", "-H", "Range: 0-1*", "-H", "Accept: application/json*"], []),
    ]
    share = max(10, seconds // len(targets))
    for target, more in targets:
        folder = tempfile.mkdtemp(prefix="sqlmap-")
        command = [program, *target, *more, "--batch", "--level=5", "--risk=2", f"--dbms={dbms}", "--technique=BEUST", "--time-sec=2", "--flush-session", "--skip-waf", "--threads=4",
                   "--ignore-code=*", "--output-dir", folder, "--disable-coloring"]
        try:
            said = subprocess.run(command, capture_output=True, text=True, timeout=share, stdin=subprocess.DEVNULL).stdout
            ended = "whole"
        except subprocess.TimeoutExpired as stopped:
            said, ended = (stopped.stdout or b"").decode("utf-8", "replace"), f"stopped after {share} s"
        injectable = re.findall(r"(?:is vulnerable|identified the following injection point|appears to be .* injectable).*", said)
        tested = len(re.findall(r"testing '", said))
        print(f"  sqlmap {engine} {' '.join(target)[:90]}: {tested} kinds of tests, {ended}", flush=True)
        # What only "appears to be" injectable, it then finds to be a filter that filters.
        confirmed = [line for line in injectable if "appears to be" not in line]
        if confirmed:
            fail(f"sqlmap {engine} {target}: {confirmed} {said[-1500:]}")
            found += 1
        shutil.rmtree(folder, ignore_errors=True)
    return found


def main():
    global PORT
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("gate")
    arguments.add_argument("--sqlmap", help="the program; without it, only the requests of this file are sent")
    arguments.add_argument("--seconds", type=int, default=240, help="how long sqlmap may take for each engine")
    arguments.add_argument("--port", type=int, default=18900, help="this and the two ports behind it are used")
    given = arguments.parse_args()
    PORT = given.port
    schema = (HERE / "schema.sql").read_text().replace("{marker}", MARKER)
    servers = Servers(given.gate, PORT, lambda engine: schema, HERE / "attack.yaml")
    try:
        for engine in ENGINES:
            before = state(servers, engine)
            for path in HARMLESS:
                for how in ("exact", "planned", "estimated, timezone=UTC"):
                    judge(path, *ask(engine, "GET", path, {"Prefer": f"count={how}"}))
            for method, path, fields, body in [
                ("PATCH", "/orders/1", {"If-Match": "*"}, '{"note":"x","total":2}'), ("PATCH", "/orders?id=eq.1&note=eq.y&select=id", {"Prefer": "return=representation"}, '{"note":"x"}'),
                ("POST", "/customers?columns=id,name", {"Prefer": "resolution=merge-duplicates"}, '[{"id":1,"name":"Ada"},{"id":5,"name":"Eve"}]'),
                ("POST", "/customers", {"Prefer": "resolution=ignore-duplicates,return=representation"}, '[{"id":1,"name":"Ada"},{"id":6}]'), ("POST", "/customers", {}, '{"id":1,"name":"x"}'),
                ("POST", "/customers?select=id,orders(id)", {"Prefer": "return=representation, resolution=merge-duplicates"}, '{"id":1,"name":"Ada"}'), ("PUT", "/customers/1", {}, '{"name":"Ada"}'),
                ("PUT", "/customers/5", {"If-None-Match": "*"}, '{"name":"Eve"}'), ("DELETE", "/customers/5", {}, None), ("DELETE", "/orders?id=eq.99", {}, None), ("PATCH", "/orders/1", {}, "{}"),
                ("PATCH", "/orders/1", {"If-Match": '"MQ.0"'}, '{"note":"x"}'), ("POST", "/orders", {}, '{"id":"a"}'), ("PATCH", "/orders/1?select=id,customers(name)", {"Prefer": "return=representation"}, '{"note":"z"}'),
            ]:
                judge(path, *ask(engine, method, path, fields, body and body.encode()))
            vocabulary, at = set(), 0
            if engine != "sqlite":
                harmless, at = statements(servers, engine, 0)
                vocabulary = set().union(*(normal(text) for text in harmless))
            began = time.monotonic()
            hostile(engine)
            probes(engine)
            sent = len(PLACES) * len(HOSTILE) * 3
            print(f"{engine}: {sent} hostile requests in {time.monotonic() - began:.0f} s", flush=True)
            if given.sqlmap:
                sqlmap(given.sqlmap, engine, given.seconds)
            if engine != "sqlite":
                time.sleep(1)
                seen, _ = statements(servers, engine, at)
                strange = {}
                for text in seen:
                    for word in normal(text) - vocabulary:
                        strange.setdefault(word, text)
                print(f"{engine}: {len(harmless)} and {len(seen)} texts of statements, {len(strange)} unknown words", flush=True)
                if min(len(harmless), len(seen)) < 20:
                    fail(f"{engine}: the log of statements can't be read")
                for word, text in list(strange.items())[:12]:
                    fail(f"{engine}: `{word}` is in a statement: {text[:600]}")
            after = state(servers, engine)
            if before != after:
                fail(f"{engine}: what the caller may not change was {before!r} and is {after!r}")
            if servers.gate.poll() is not None:
                sys.exit("the gate ended")
    finally:
        servers.stop()
    print("survived" if not failures else f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
