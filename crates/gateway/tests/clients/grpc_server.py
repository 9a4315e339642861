"""grpc_server.py: a gRPC server on a port of its own, which it prints. It ends when its standard input does.

Calls of every kind, without generated code: a message is its bytes.
"""

import sys
import threading
import time
from concurrent import futures

import grpc
from google.protobuf import any_pb2, wrappers_pb2
from google.rpc import code_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

SIZE = 16 << 20
cancelled = threading.Event()


def echo(request, context):
    """Gives back the message, and metadata whose names begin with `x-`."""
    asked = [(name, value) for name, value in context.invocation_metadata() if name.startswith("x-")]
    context.send_initial_metadata(asked)
    context.set_trailing_metadata([("x-trailer", "behind"), ("x-bytes-bin", b"\x00\xff")])
    return request


def size(request, _context):
    """The length of the message, in decimal digits."""
    return str(len(request)).encode()


def zeros(request, _context):
    """As many bytes as the message says."""
    return bytes(int(request))


def count(request, _context):
    """Messages with the numbers from 0."""
    for number in range(int(request)):
        yield str(number).encode()


def total(requests, _context):
    """The sum of the messages' lengths."""
    return str(sum(len(request) for request in requests)).encode()


def upper(requests, _context):
    """Each message in capitals, as soon as it is there."""
    for request in requests:
        yield request.upper()


def fail(request, context):
    """Ends with the status code that the message names."""
    context.set_trailing_metadata([("x-why", "because")])
    code = next(code for code in grpc.StatusCode if code.value[0] == int(request))
    context.abort(code, "détail % asked")


def detailed(_request, context):
    """Ends with a status that carries details."""
    detail = any_pb2.Any()
    detail.Pack(wrappers_pb2.StringValue(value="the third field"))
    status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="bad", details=[detail])
    context.abort_with_status(rpc_status.to_status(status))


def remaining(_request, context):
    """The seconds until the caller's deadline."""
    return str(context.time_remaining()).encode()


def hang(_request, context):
    """Goes on until nobody waits any more."""
    ended = threading.Event()
    context.add_callback(ended.set)
    yield b"started"
    if ended.wait(20):
        cancelled.set()


def was_cancelled(_request, _context):
    """Whether a call of `hang` has been told that nobody waits."""
    return str(cancelled.wait(10)).encode()


def asleep(request, context):
    """Answers after so many seconds."""
    until = time.monotonic() + float(request)
    while time.monotonic() < until and context.is_active():
        time.sleep(0.02)
    return b"awake"


def main():
    """Serves until the one who started it goes away."""
    options = [("grpc.max_receive_message_length", SIZE), ("grpc.max_send_message_length", SIZE)]
    server = grpc.server(futures.ThreadPoolExecutor(32), options=options)
    unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    methods = {
        "Echo": unary(echo),
        "Size": unary(size),
        "Zeros": unary(zeros),
        "Count": stream(count),
        "Total": grpc.stream_unary_rpc_method_handler(total),
        "Upper": grpc.stream_stream_rpc_method_handler(upper),
        "Fail": unary(fail),
        "Detailed": unary(detailed),
        "Remaining": unary(remaining),
        "Hang": stream(hang),
        "WasCancelled": unary(was_cancelled),
        "Asleep": unary(asleep),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("gate.Test", methods),))
    checks = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    checks.set("gate.Test", health_pb2.HealthCheckResponse.SERVING)
    checks.set("gate.Down", health_pb2.HealthCheckResponse.NOT_SERVING)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


main()
