#!/usr/bin/env python3
"""How the gate bears large tables and large schemas, on SQLite, PostgreSQL and MariaDB.

    scale.py GATE [--rows N] [--tables N] [--port PORT]

Reads a table of 5,000,000 rows to its end while the gate's memory is looked at: it may grow by 64 MiB. Then it makes 10,000
tables, starts the gate anew, which may take 2 s, and changes one of them while requests go on, none of which may take more than a
second.
"""
import argparse
import http.client
import json
import os
import pathlib
import sys
import threading
import time

import attack
from attack import ENGINES, Servers

SERIES = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO readings SELECT i, 'a reading of the thing in the hall', i * 0.5, i % 100 FROM n;",
    "postgres": "INSERT INTO readings SELECT i, 'a reading of the thing in the hall', i * 0.5, i % 100 FROM generate_series(1, {rows}) i;",
    "mariadb": "INSERT INTO readings SELECT seq, 'a reading of the thing in the hall', seq * 0.5, seq % 100 FROM seq_1_to_{rows};",
}
DATABASE = "  {engine}: {{url: \"${{{name}_URL}}\", schema_look: 1s}}\n"
ROUTE = "- {{path: /{engine}/**, to: {{tables: {{database: {engine}, tables: {{readings: {{default_rows: 100000000, max_rows: 100000000}}}}}}}}}}\n"


def write(path, port, engines):
    """The configuration of a gate in front of these engines."""
    databases = "".join(DATABASE.format(engine=engine, name=engine.upper()) for engine in engines)
    routes = "".join(ROUTE.format(engine=engine) for engine in engines)
    path.write_text(f'listeners: [{{bind: "127.0.0.1:{port}"}}]\ndatabases:\n{databases}routes:\n{routes}')


def memory(process):
    """Bytes that a process holds by itself: pages of files it shares are not its own."""
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) << 10


def stream(servers, engine, rows):
    begun, before, most, size, ends = time.monotonic(), memory(servers.gate), 0, 0, 0
    connection = http.client.HTTPConnection("127.0.0.1", servers.port, timeout=120)
    connection.request("GET", f"/{engine}/readings", headers={"Accept": "application/x-ndjson"})
    answer = connection.getresponse()
    looked = 0
    while piece := answer.read1(1 << 18):
        size, ends = size + len(piece), ends + piece.count(b"\n")
        if size - looked > 1 << 20:
            looked, most = size, max(most, memory(servers.gate))
    took = time.monotonic() - begun
    grown = (max(most, before) - before) / 2**20
    print(f"{engine}: status {answer.status}, {ends} rows, {size >> 20} MiB in {took:.1f} s ({ends / took:.0f} rows/s); memory {before / 2**20:.0f} MiB, at the most {grown:.1f} MiB more", flush=True)
    return [] if ends >= rows and grown <= 64 else [f"{engine}: {ends} of {rows} rows, {grown:.1f} MiB"]


class Asking(threading.Thread):
    """Requests one after the other, and the longest of them."""

    def __init__(self, port, path):
        super().__init__(daemon=True)
        self.port, self.path, self.longest, self.count, self.bad, self.goes_on = port, path, 0.0, 0, 0, True

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while self.goes_on:
            begun = time.monotonic()
            connection.request("GET", self.path)
            answer = connection.getresponse()
            answer.read()
            self.count, self.bad = self.count + 1, self.bad + (answer.status != 200)
            self.longest = max(self.longest, time.monotonic() - begun)
            time.sleep(0.002)


def make(servers, engine, number):
    """Many tables, some hundreds in each transaction."""
    one = "CREATE TABLE t{0} (id integer NOT NULL PRIMARY KEY, name varchar(60), amount integer, parent integer REFERENCES parents (id), note text);\n"
    parts = []
    for first in range(0, number, 500):
        parts += ["BEGIN;\n", *(one.format(place) for place in range(first, min(first + 500, number))), "COMMIT;\n"]
    begun = time.monotonic()
    servers.client(engine, "".join(parts))
    print(f"{engine}: {number} tables made in {time.monotonic() - begun:.0f} s", flush=True)


def reload(servers, engine):
    """Adds a column, and waits until an answer shows it."""
    asking = Asking(servers.port, f"/{engine}/readings?limit=1&select=id")
    asking.start()
    time.sleep(1)
    begun = time.monotonic()
    servers.client(engine, "ALTER TABLE readings ADD COLUMN added integer;")
    while attack.ask(engine, "GET", "/readings?limit=1&select=added", port=servers.port)[0] != 200:
        if time.monotonic() - begun > 60:
            asking.goes_on = False
            asking.join()
            return [f"{engine}: the new column is never seen"]
        time.sleep(0.05)
    seen = time.monotonic() - begun
    time.sleep(1)
    asking.goes_on = False
    asking.join()
    print(f"{engine}: seen {seen:.2f} s after the change began; meanwhile {asking.count} requests, {asking.bad} of them failed, the longest {asking.longest * 1000:.0f} ms", flush=True)
    return [] if asking.longest <= 1 and not asking.bad else [f"{engine}: {asking.bad} failed, the longest {asking.longest:.2f} s"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("gate")
    arguments.add_argument("--rows", type=int, default=5_000_000)
    arguments.add_argument("--tables", type=int, default=10_000)
    arguments.add_argument("--port", type=int, default=18910)
    given = arguments.parse_args()
    attack.PORT = given.port
    configuration = pathlib.Path(f"/tmp/portcullis-scale-{os.getpid()}.yaml")
    write(configuration, given.port, ENGINES)
    table = "CREATE TABLE parents (id integer NOT NULL PRIMARY KEY); CREATE TABLE readings (id integer NOT NULL PRIMARY KEY, what varchar(60), degrees double precision, room integer);\n"
    wrong = []
    servers = Servers(given.gate, given.port, lambda engine: table + SERIES[engine].format(rows=given.rows), configuration, is_logged=False)
    try:
        for engine in ENGINES:
            wrong += stream(servers, engine, given.rows)
        if given.tables:
            servers.gate.terminate()
            servers.gate.wait(30)
            for engine in ENGINES:
                make(servers, engine, given.tables)
                write(configuration, given.port, [engine])
                begun = time.monotonic()
                servers.start(given.gate, configuration, engine)
                took = time.monotonic() - begun
                print(f"{engine}: the gate serves {given.tables} tables {took:.2f} s after it was started", flush=True)
                wrong += [] if took <= 2 else [f"{engine}: it takes {took:.2f} s to start"]
                wrong += reload(servers, engine)
                servers.gate.terminate()
                servers.gate.wait(30)
    finally:
        servers.stop()
        configuration.unlink()
    print("\n".join(wrong) or "all within their limits")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
