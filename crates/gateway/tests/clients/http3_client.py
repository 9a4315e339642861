"""http3_client.py HOST:PORT CA.pem CHECK...: asks the gate by HTTP/3, with PyPI's `aioquic`.

The gate answers /plain by itself, and hands /echo to an upstream that says what it received, as JSON.
"""

import asyncio
import json
import socket
import ssl
import sys

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamReset

PATIENCE = 20


class Answer:
    """What has come of an answer, and a future of its end."""

    def __init__(self):
        self.fields = []
        self.body = bytearray()
        self.trailers = []
        self.done = asyncio.get_running_loop().create_future()

    def field(self, name):
        found = [value for known, value in self.fields if known == name]
        assert len(found) == 1, f"{name} in {self.fields}"
        return found[0]

    def json(self):
        return json.loads(bytes(self.body))


class Client(QuicConnectionProtocol):
    """HTTP/3 over a connection."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.http = H3Connection(self._quic)
        self.answers = {}

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            for answer in self.answers.values():
                if not answer.done.done():
                    answer.done.set_exception(AssertionError(f"the connection ended: {event}"))
        if isinstance(event, StreamReset) and event.stream_id in self.answers:
            self.answers[event.stream_id].done.set_exception(AssertionError(f"broken off: {event}"))
        for part in self.http.handle_event(event):
            answer = self.answers.get(part.stream_id)
            if answer is None:
                continue
            if isinstance(part, HeadersReceived):
                lines = [(name.decode(), value.decode()) for name, value in part.headers]
                interim = dict(lines).get(":status", "").startswith("1")
                if not interim:
                    (answer.trailers if answer.fields else answer.fields).extend(lines)
            elif isinstance(part, DataReceived):
                answer.body.extend(part.data)
            if part.stream_ended and not answer.done.done():
                answer.done.set_result(answer)

    async def ask(self, method, path, body=b"", fields=()):
        """One request, and its whole answer."""
        stream = self._quic.get_next_available_stream_id()
        answer = self.answers[stream] = Answer()
        head = {":method": method, ":scheme": "https", ":authority": "localhost", ":path": path, **dict(fields)}
        lines = [(name.encode(), value.encode()) for name, value in head.items()]
        self.http.send_headers(stream, lines, end_stream=not body)
        if body:
            self.http.send_data(stream, body, end_stream=True)
        self.transmit()
        return await asyncio.wait_for(answer.done, PATIENCE)


async def requests(open_one):
    async with open_one() as client:
        answer = await client.ask("GET", "/plain")
        assert (answer.field(":status"), bytes(answer.body)) == ("200", b"here"), answer.fields
        missing = await client.ask("GET", "/nothing")
        assert missing.field(":status") == "404" and missing.json()["code"] == "route_not_found", missing.fields


async def forwarding(open_one):
    async with open_one() as client:
        answer = await client.ask("POST", "/echo?a=b", b"hello", {"x-mine": "1", "cookie": "a=b"})
        seen = answer.json()
        assert (seen["line"], seen["body"]) == ("POST /echo?a=b HTTP/1.1", "hello"), seen
        fields = dict(map(tuple, seen["fields"]))
        assert (fields["host"], fields["x-mine"], fields["cookie"]) == ("localhost", "1", "a=b"), fields
        assert fields["x-forwarded-proto"] == "https", fields


async def large_bodies(open_one):
    body = b"0123456789abcdef" * (1 << 16)
    async with open_one() as client:
        answer = await client.ask("POST", "/echo", body)
        seen = answer.json()
        assert seen["length"] == len(body) and seen["body"].encode() == body, seen["length"]


async def many_at_once(open_one):
    async with open_one() as client:
        asked = [client.ask("POST", f"/echo?{number}", str(number).encode()) for number in range(300)]
        for number, answer in enumerate(await asyncio.gather(*asked)):
            assert answer.json()["body"] == str(number), answer.json()


async def resumption(open_one):
    """A second connection is resumed; a safe request may ride in its first flight, and another one may not."""
    tickets = []
    async with open_one(session_ticket_handler=tickets.append) as client:
        await client.ask("GET", "/plain")
        for _ in range(200):
            if tickets:
                break
            await asyncio.sleep(0.05)
    assert tickets, "no ticket came"
    async with open_one(ticket=tickets[-1]) as client:
        answer = await client.ask("GET", "/plain")
        assert answer.field(":status") == "200"
        assert client._quic.tls.session_resumed, "not resumed"


async def new_address(open_one):
    """A client whose address changes goes on: its connection has a name of its own."""
    async with open_one() as client:
        await client.ask("GET", "/plain")
        loop = asyncio.get_running_loop()
        old = client._transport
        # Of both families, as the first one is.
        other = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        other.bind(("::", 0))
        await loop.create_datagram_endpoint(lambda: Relay(client), sock=other)
        assert client._transport is not old
        answer = await client.ask("POST", "/echo", b"from elsewhere")
        assert answer.json()["body"] == "from elsewhere"
        old.close()


class Relay(asyncio.DatagramProtocol):
    """A second socket for a client that has one."""

    def __init__(self, client):
        self.client = client

    def connection_made(self, transport):
        self.client.connection_made(transport)

    def datagram_received(self, data, address):
        self.client.datagram_received(data, address)


async def main():
    """Makes the checks that are named."""
    address, authority, *names = sys.argv[1:]
    host, port = address.rsplit(":", 1)

    def open_one(ticket=None, **more):
        configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=True, server_name="localhost")
        configuration.verify_mode = ssl.CERT_REQUIRED
        configuration.load_verify_locations(authority)
        configuration.session_ticket = ticket
        return connect(host, int(port), configuration=configuration, create_protocol=Client, **more)

    for name in names:
        await globals()[name](open_one)
        print(f"{name}: passed", flush=True)


asyncio.run(main())
