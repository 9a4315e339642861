"""websocket_client.py ws[s]://HOST:PORT/PATH [CA.pem]: talks to websocket_server.py through the gate, with PyPI's `websockets`."""

import asyncio
import os
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

PATIENCE = 20


async def messages(open_one):
    async with open_one() as connection:
        for message in ("hello", b"\x00\xff", "", "é" * 1000, os.urandom(200_000), os.urandom(2 << 20)):
            await connection.send(message)
            assert await connection.recv() == message, f"{len(message)} came changed"
        # An iterable is a message in fragments.
        await connection.send(["one ", "two ", "three"])
        assert await connection.recv() == "one two three"


async def many_in_flight(open_one):
    async with open_one() as connection:
        for number in range(1000):
            await connection.send(str(number))
        for number in range(1000):
            assert await connection.recv() == str(number)


async def pings(open_one):
    async with open_one() as connection:
        await (await connection.ping())


async def negotiation(open_one):
    async with open_one(subprotocols=["unknown", "superchat"]) as connection:
        assert connection.subprotocol == "superchat", connection.subprotocol
        names = [extension.name for extension in connection.protocol.extensions]
        assert names == ["permessage-deflate"], names


async def closing(open_one):
    async with open_one() as connection:
        await connection.send("close 4321 enough of it")
        try:
            await connection.recv()
            raise AssertionError("not closed")
        except ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (4321, "enough of it"), closed
    async with open_one() as connection:
        await connection.close(1001, "going")
        assert connection.close_code == 1001, connection.close_code


async def main():
    """Makes every check."""
    trust = ssl.create_default_context(cafile=sys.argv[2]) if len(sys.argv) > 2 else None

    def open_one(**more):
        return connect(sys.argv[1], ssl=trust, open_timeout=PATIENCE, max_size=64 << 20, proxy=None, **more)

    for check in (messages, many_in_flight, pings, negotiation, closing):
        await asyncio.wait_for(check(open_one), PATIENCE)
        print(f"{check.__name__}: passed", flush=True)


asyncio.run(main())
