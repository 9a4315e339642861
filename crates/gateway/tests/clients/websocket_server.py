"""websocket_server.py: echoes WebSocket messages on a port of its own, which it prints. It ends when its standard input does.

A message `close CODE REASON` makes it close the connection so.
"""

import sys
import threading

from websockets.sync.server import serve


def echo(connection):
    """Sends each message back, of the kind that it has."""
    for message in connection:
        if isinstance(message, str) and message.startswith("close "):
            _, code, reason = message.split(" ", 2)
            connection.close(int(code), reason)
            return
        else:
            connection.send(message)


def choose(_connection, offered):
    """The best one of what is offered, and none where none is."""
    return next((name for name in ("superchat", "chat") if name in offered), None)


def main():
    """Serves until the one who started it goes away."""
    with serve(echo, "127.0.0.1", 0, select_subprotocol=choose, max_size=64 << 20) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.socket.getsockname()[1], flush=True)
        sys.stdin.read()
        server.shutdown()


main()
