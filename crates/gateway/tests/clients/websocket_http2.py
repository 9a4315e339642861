"""websocket_http2.py HOST:PORT PATH CA.pem: WebSocket by extended CONNECT (RFC 8441) over HTTP/2 through the gate, by PyPI's `h2` and `wsproto`."""

import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.connection import Connection, ConnectionType

PATIENCE = 20


class Http2:
    """A connection by TLS that keeps what comes, by stream."""

    def __init__(self, address, authority):
        host, port = address.rsplit(":", 1)
        trust = ssl.create_default_context(cafile=authority)
        trust.set_alpn_protocols(["h2"])
        plain = socket.create_connection((host, int(port)), PATIENCE)
        self.socket = trust.wrap_socket(plain, server_hostname="localhost")
        assert self.socket.selected_alpn_protocol() == "h2", "HTTP/2 was not agreed on"
        self.wire = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.wire.initiate_connection()
        self.flush()
        self.heads, self.content, self.ended = {}, {}, set()
        while not any(isinstance(event, h2.events.RemoteSettingsChanged) for event in self.step()):
            pass

    def flush(self):
        self.socket.sendall(self.wire.data_to_send())

    def step(self):
        """Takes what is there next."""
        data = self.socket.recv(65536)
        assert data, "the connection ended"
        events = self.wire.receive_data(data)
        for event in events:
            if isinstance(event, h2.events.ResponseReceived):
                self.heads[event.stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                self.content.setdefault(event.stream_id, bytearray()).extend(event.data)
                self.wire.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                # A server that has said goodbye closes at once, which may well be told as a reset.
                self.ended.add(event.stream_id)
            elif isinstance(event, h2.events.ConnectionTerminated):
                raise AssertionError(f"broken off: {event}")
        self.flush()
        return events

    def ask(self, fields, end):
        """Sends a request's head, and gives back its stream."""
        stream = self.wire.get_next_available_stream_id()
        self.wire.send_headers(stream, fields, end_stream=end)
        self.flush()
        return stream

    def head(self, stream):
        while stream not in self.heads:
            assert stream not in self.ended, "ended without an answer"
            self.step()
        return self.heads[stream]

    def send(self, stream, data):
        """Sends as the windows allow."""
        while data:
            room = min(self.wire.local_flow_control_window(stream), self.wire.max_outbound_frame_size)
            if room <= 0:
                self.step()
                continue
            self.wire.send_data(stream, data[:room])
            self.flush()
            data = data[room:]


class Tunnel:
    """A WebSocket in a stream."""

    def __init__(self, http, path):
        self.http = http
        self.frames = Connection(ConnectionType.CLIENT)
        self.stream = http.ask(
            [
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                (":scheme", "https"),
                (":authority", "localhost"),
                (":path", path),
                ("sec-websocket-version", "13"),
                ("sec-websocket-protocol", "superchat"),
            ],
            end=False,
        )
        head = http.head(self.stream)
        assert head[":status"] == "200", head
        assert head["sec-websocket-protocol"] == "superchat", head
        # RFC 8441 §5: the handshake's key and its answer belong to HTTP/1.1 alone.
        assert "sec-websocket-accept" not in head and "upgrade" not in head, head

    def send(self, event):
        self.http.send(self.stream, self.frames.send(event))

    def receive(self):
        """The next whole message or control frame."""
        parts = []
        while True:
            for event in self.frames.events():
                if isinstance(event, (TextMessage, BytesMessage)):
                    parts.append(event.data)
                    if event.message_finished:
                        return ("" if isinstance(event, TextMessage) else b"").join(parts)
                else:
                    return event
            content = self.http.content.get(self.stream, bytearray())
            if content:
                self.frames.receive_data(bytes(content))
                content.clear()
            else:
                assert self.stream not in self.http.ended, "the stream ended"
                self.http.step()


def main():
    """Two tunnels and a request share a connection."""
    address, path, authority = sys.argv[1:]
    http = Http2(address, authority)
    settings = http.wire.remote_settings
    assert settings[h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL] == 1, "extended CONNECT is not offered"
    first, second = Tunnel(http, path), Tunnel(http, path)
    large = bytes(range(256)) * 4000
    first.send(BytesMessage(data=large))
    second.send(TextMessage(data="beside it"))
    assert second.receive() == "beside it"
    assert first.receive() == large
    first.send(Ping(payload=b"there?"))
    assert first.receive() == Pong(payload=b"there?")
    other = http.ask([(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/plain")], end=True)
    assert http.head(other)[":status"] == "200"
    for tunnel in (first, second):
        tunnel.send(CloseConnection(code=CloseReason.NORMAL_CLOSURE, reason="done"))
        closed = tunnel.receive()
        assert isinstance(closed, CloseConnection) and closed.code == CloseReason.NORMAL_CLOSURE, closed
    while not {first.stream, second.stream} <= http.ended:
        http.step()
    print("passed")


main()
