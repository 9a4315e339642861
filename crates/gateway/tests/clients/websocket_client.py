"""websocket_client.py ws[s]://HOST:PORT/PATH [CA.pem]: talks to websocket_server.py through the gate, with PyPI's `websockets`."""

import os
import ssl
import sys

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

PATIENCE = 20


def messages(open_one):
    with open_one() as connection:
        for message in ("hello", b"\x00\xff", "", "é" * 1000, os.urandom(200_000), os.urandom(8 << 20)):
            connection.send(message)
            assert connection.recv(timeout=PATIENCE) == message, f"{len(message)} came changed"
        # An iterable is a message in fragments.
        connection.send(["one ", "two ", "three"])
        assert connection.recv(timeout=PATIENCE) == "one two three"


def many_in_flight(open_one):
    with open_one() as connection:
        for number in range(1000):
            connection.send(str(number))
        for number in range(1000):
            assert connection.recv(timeout=PATIENCE) == str(number)


def pings(open_one):
    with open_one() as connection:
        assert connection.ping().wait(PATIENCE), "no pong"


def negotiation(open_one):
    with open_one(subprotocols=["unknown", "superchat"]) as connection:
        assert connection.subprotocol == "superchat", connection.subprotocol
        names = [extension.name for extension in connection.protocol.extensions]
        assert names == ["permessage-deflate"], names


def closing(open_one):
    with open_one() as connection:
        connection.send("close 4321 enough of it")
        try:
            connection.recv(timeout=PATIENCE)
            raise AssertionError("not closed")
        except ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4321, "enough of it"), closed
    with open_one() as connection:
        connection.close(1001, "going")
        assert connection.close_code == 1001, connection.close_code


def main():
    """Makes every check."""
    trust = ssl.create_default_context(cafile=sys.argv[2]) if len(sys.argv) > 2 else None

    def open_one(**more):
        return connect(sys.argv[1], ssl=trust, open_timeout=PATIENCE, max_size=64 << 20, proxy=None, **more)

    for check in (messages, many_in_flight, pings, negotiation, closing):
        check(open_one)
        print(f"{check.__name__}: passed", flush=True)


main()
