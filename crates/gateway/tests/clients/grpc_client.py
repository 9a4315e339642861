"""grpc_client.py HOST:PORT CHECK... [CA.pem]: calls a gRPC server through the gate, with the official client.

Each check is a function of this file. With a certificate the connection is TLS, and the certificate's name is `localhost`.
"""

import queue
import sys
import time

import grpc
from google.protobuf import wrappers_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

SIZE = 16 << 20
# Long enough for a busy machine; what is late on purpose has a deadline of its own.
PATIENCE = 20


class Calls:
    """The methods of the test server."""

    def __init__(self, channel):
        self.channel = channel

    def unary(self, method):
        return self.channel.unary_unary(f"/gate.Test/{method}")

    def down(self, method):
        return self.channel.unary_stream(f"/gate.Test/{method}")

    def up(self, method):
        return self.channel.stream_unary(f"/gate.Test/{method}")

    def both(self, method):
        return self.channel.stream_stream(f"/gate.Test/{method}")


def equal(found, wanted):
    assert found == wanted, f"{found!r} in place of {wanted!r}"


def failure(call, code):
    """The error of a call that must end with this code."""
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, f"{error.code()} in place of {code}: {error.details()}"
        return error
    raise AssertionError(f"no failure, in place of {code}")


def unary(calls):
    equal(calls.unary("Echo")(b"", timeout=PATIENCE), b"")
    equal(calls.unary("Echo")(b"hello", timeout=PATIENCE), b"hello")
    metadata = [("x-text", "1"), ("x-bytes-bin", b"\x01\x02\xff")]
    _, call = calls.unary("Echo").with_call(b"", metadata=metadata, timeout=PATIENCE)
    first, last = dict(call.initial_metadata()), dict(call.trailing_metadata())
    equal((first["x-text"], first["x-bytes-bin"]), ("1", b"\x01\x02\xff"))
    equal((last["x-trailer"], last["x-bytes-bin"]), ("behind", b"\x00\xff"))


def large_messages(calls):
    equal(calls.unary("Size")(bytes(8 << 20), timeout=PATIENCE), b"8388608")
    equal(len(calls.unary("Zeros")(b"8388608", timeout=PATIENCE)), 8 << 20)
    message = bytes(range(256)) * 4096
    equal(calls.unary("Echo")(message, timeout=PATIENCE), message)


def compressed(calls):
    echo = calls.unary("Echo")(b"z" * 5000, timeout=PATIENCE, compression=grpc.Compression.Gzip)
    equal(echo, b"z" * 5000)


def server_streams(calls):
    equal(list(calls.down("Count")(b"0", timeout=PATIENCE)), [])
    equal([int(message) for message in calls.down("Count")(b"500", timeout=PATIENCE)], list(range(500)))


def client_streams(calls):
    pieces = [bytes(27182), bytes(8), bytes(1828), bytes(45904)]
    equal(calls.up("Total")(iter(pieces), timeout=PATIENCE), b"74922")
    equal(calls.up("Total")(iter([]), timeout=PATIENCE), b"0")


def both_stream(calls):
    """Each answer comes before the next question is asked: nothing is kept back anywhere."""
    questions = queue.Queue()
    answers = calls.both("Upper")(iter(questions.get, None), timeout=PATIENCE)
    for question in (b"a", b"b" * 100_000, b"c"):
        questions.put(question)
        equal(next(answers), question.upper())
    questions.put(None)
    equal(list(answers), [])


def many_at_once(calls):
    waiting = [calls.unary("Echo").future(str(number).encode(), timeout=PATIENCE) for number in range(200)]
    equal([int(call.result()) for call in waiting], list(range(200)))


def statuses(calls):
    for code in grpc.StatusCode:
        # The client makes these itself, and 0 is no failure.
        if code.value[0] not in (0, 1, 4):
            failed = failure(lambda: calls.unary("Fail")(str(code.value[0]).encode(), timeout=PATIENCE), code)
            equal(failed.details(), "détail % asked")
            equal(dict(failed.trailing_metadata())["x-why"], "because")
    failure(lambda: calls.unary("Unheard")(b"", timeout=PATIENCE), grpc.StatusCode.UNIMPLEMENTED)


def status_details(calls):
    failed = failure(lambda: calls.unary("Detailed")(b"", timeout=PATIENCE), grpc.StatusCode.INVALID_ARGUMENT)
    text = wrappers_pb2.StringValue()
    assert rpc_status.from_call(failed).details[0].Unpack(text)
    equal(text.value, "the third field")


def deadlines(calls):
    left = float(calls.unary("Remaining")(b"", timeout=7))
    # The wire has few digits for it, so that the client rounds it up.
    assert 0 < left < 7.5, f"the server has {left} s left of 7"
    started = time.monotonic()
    failure(lambda: calls.unary("Asleep")(b"10", timeout=0.3), grpc.StatusCode.DEADLINE_EXCEEDED)
    assert time.monotonic() - started < 3


def cancellation(calls):
    call = calls.down("Hang")(b"", timeout=PATIENCE)
    equal(next(call), b"started")
    call.cancel()
    equal(calls.unary("WasCancelled")(b"", timeout=PATIENCE), b"True")


def health(calls):
    stub = health_pb2_grpc.HealthStub(calls.channel)
    ask = health_pb2.HealthCheckRequest
    equal(stub.Check(ask(service="gate.Test"), timeout=PATIENCE).status, health_pb2.HealthCheckResponse.SERVING)
    equal(stub.Check(ask(service="gate.Down"), timeout=PATIENCE).status, health_pb2.HealthCheckResponse.NOT_SERVING)
    watch = stub.Watch(ask(service="gate.Test"), timeout=PATIENCE)
    equal(next(watch).status, health_pb2.HealthCheckResponse.SERVING)
    watch.cancel()


def refusals(calls):
    """What the gate itself refuses is a status that gRPC knows."""
    channel = calls.channel

    def ask(path):
        return lambda: channel.unary_unary(path)(b"", timeout=PATIENCE)

    failure(ask("/nobody.Here/Ask"), grpc.StatusCode.UNIMPLEMENTED)
    failure(ask("/gate.Away/Ask"), grpc.StatusCode.UNAVAILABLE)
    failure(ask("/gate.Secret/Ask"), grpc.StatusCode.UNAUTHENTICATED)


def main():
    """Makes the checks that are named."""
    address, *names = sys.argv[1:]
    options = [("grpc.max_receive_message_length", SIZE), ("grpc.max_send_message_length", SIZE)]
    if names[-1].endswith(".pem"):
        with open(names.pop(), "rb") as file:
            trusted = grpc.ssl_channel_credentials(file.read())
        options.append(("grpc.ssl_target_name_override", "localhost"))
        channel = grpc.secure_channel(address, trusted, options)
    else:
        channel = grpc.insecure_channel(address, options)
    with channel:
        for name in names:
            globals()[name](Calls(channel))
            print(f"{name}: passed", flush=True)


main()
