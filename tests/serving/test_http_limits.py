"""How much and how long, over real sockets. The server's sweeps are a hundred times faster here than in use."""

import gzip
import re
import socket
import threading
import time

import grpc
import numpy as np
import pytest
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving import http_body, http_limits, http_protocol
from serving.errors import InvalidArgumentError, ResourceExhaustedError
from serving.http_limits import Concurrency, HttpLimits
from serving.options import LIMITS, ServerOptions
from serving.server import ModelServer
from tests.serving import exports
from tests.serving.asking import Grpc, Rest, predict_request, refused, wait_until

GOOD = b"GET /v1/models/kinds HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /v1/models/kinds:predict HTTP/1.1\r\nHost: x\r\n"
LAST = b"GET /v1/models/kinds HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
TOTAL = {"signature_name": "total", "inputs": [1.0, 2.0]}
LARGE_BODY, LARGE_HEAD = "The body has more than 20000 bytes", "The headers have more than 2000 bytes"


@pytest.fixture(scope="module")
def limited(tmp_path_factory, written):
    """A server with narrow limits."""
    base = tmp_path_factory.mktemp("limited") / "kinds"
    base.mkdir()
    exports.copy(written["kinds"], base / "1")
    flags = {
        "model_name": "kinds", "model_base_path": str(base), "rest_api_max_body_bytes": 20_000,
        "rest_api_max_header_bytes": 2000, "rest_api_receive_timeout_seconds": 1, "rest_api_keep_alive_seconds": 1,
        "max_concurrent_requests": 2, "grpc_max_receive_message_bytes": 20_000, "rest_api_timeout_in_ms": 0,
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_limits, "SWEEP_SECONDS", 0.01)
        patch.setattr(http_protocol, "LINGER_SECONDS", 0.5)
        with ModelServer.on_free_ports(**flags) as running:
            yield running


@pytest.fixture
def connect(limited):
    made = []

    def connection():
        made.append(socket.create_connection(("localhost", limited.rest_port), timeout=20))
        return made[-1]

    yield connection
    for sock in made:
        sock.close()


def everything(sock):
    """What comes until the server closes."""
    parts = []
    try:
        while part := sock.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        parts.append(b"<reset>")
    return b"".join(parts)


def good_is_answered(limited):
    assert Rest(limited.rest_port).predict("kinds", TOTAL).json() == {"outputs": 3.0}


def statuses(answer):
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def test_a_body_that_is_too_large_is_413_before_it_comes(limited, connect):
    sock = connect()
    sock.sendall(POST + b"Content-Length: 20001\r\nExpect: 100-continue\r\n\r\n")
    answer = everything(sock)
    assert answer.startswith(b"HTTP/1.1 413 Request Entity Too Large\r\ncontent-type: application/json\r\n")
    assert LARGE_BODY.encode() in answer
    good_is_answered(limited)


def request_id_of(answer):
    return re.search(rb"x-request-id: (\S+)\r\n", answer)[1]


def test_refusals_carry_the_id_of_their_request_as_far_as_it_has_come(limited, connect):
    given = POST + b"X-Request-Id: mine\r\n"
    for sent, status, found in (
        (given + b"Content-Length: 99999\r\n\r\n", 413, b"mine"),
        (given + b"X: " + b"x" * 3000 + b"\r\n\r\n", 431, b"mine"),
        (given + b"Content-Length: 9\r\n\r\n{", 408, b"mine"),
        (b"GET /", 408, b"[0-9a-f]{16}"),
        (POST + b"X-Request-Id: a b\r\nContent-Length: 99999\r\n\r\n", 413, b"[0-9a-f]{16}"),
    ):
        sock = connect()
        sock.sendall(sent)
        answer = everything(sock)
        assert statuses(answer) == [status]
        assert re.fullmatch(found, request_id_of(answer))


def test_who_sends_its_large_body_to_the_end_finds_the_answer(limited):
    answer = Rest(limited.rest_port).predict("kinds", b" " * 5_000_000)
    assert (answer.status_code, answer.json()) == (413, {"error": LARGE_BODY})
    answer = Rest(limited.rest_port).predict("kinds", (b" " * 10_000 for _ in range(200)))
    assert (answer.status_code, answer.json()) == (413, {"error": LARGE_BODY})


def test_a_body_that_just_fits_is_read(limited):
    body = b'{"signature_name": "total", "inputs": [1.0, 2.0]}'
    assert Rest(limited.rest_port).predict("kinds", body + b" " * (20_000 - len(body))).json() == {"outputs": 3.0}


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/models/kinds HTTP/1.1\r\nX: " + b"x" * 3000 + b"\r\n\r\n",
        b"GET /v1/models/" + b"x" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/models/kinds HTTP/1.1\r\n" + b"X: y\r\n" * 400 + b"\r\n",
    ],
)
def test_headers_that_are_too_large_are_431(limited, connect, head):
    sock = connect()
    sock.sendall(head)
    answer = everything(sock)
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert LARGE_HEAD.encode() in answer
    good_is_answered(limited)


def test_a_head_without_end_is_431(limited, connect):
    sock = connect()
    sock.sendall(b"GET /v1/models/kinds HTTP/1.1\r\nX: ")
    for _ in range(30):
        sock.sendall(b"x" * 100)
        time.sleep(0.002)  # chunks of their own
    assert statuses(everything(sock)) == [431]
    good_is_answered(limited)


def test_the_bytes_of_an_earlier_body_do_not_count_as_headers(connect):
    sock = connect()
    body = b" " * 19_000
    request = POST + b"Content-Length: 19000\r\n\r\n" + body
    sock.sendall(request + LAST[:30])
    time.sleep(0.05)
    sock.sendall(LAST[30:])
    assert statuses(everything(sock)) == [400, 200]


def test_an_earlier_answer_goes_first_and_is_the_last(limited, connect):
    """A request that runs, and behind it in the pipe one that is too large."""
    sock = connect()
    body = b'{"signature_name": "steps", "inputs": 100000}'
    sock.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body + POST + b"Content-Length: 99999\r\n\r\n")
    assert statuses(everything(sock)) == [200]
    good_is_answered(limited)


@pytest.mark.parametrize(
    "beginning", [b"GET /", b"GET /v1/models/kinds HTTP/1.1\r\nX: y\r\n", POST + b"Content-Length: 10000\r\n\r\n{"]
)
def test_a_sender_that_dribbles_is_cut_after_a_bound(limited, connect, beginning):
    sock = connect()
    sock.sendall(beginning)
    began = time.monotonic()
    stop = threading.Event()

    def dribble():
        while not stop.wait(0.1):
            try:
                sock.sendall(b"x")
            except OSError:
                return

    dribbling = threading.Thread(target=dribble)
    dribbling.start()
    try:
        answer = everything(sock)
    finally:
        stop.set()
        dribbling.join()
    assert statuses(answer) == [408]
    assert b"The request has not come within 1 seconds" in answer
    assert 0.9 < time.monotonic() - began < 10
    good_is_answered(limited)


def test_a_large_request_has_longer():
    """A second for every 16 KiB."""
    connection = http_protocol.Protocol.__new__(http_protocol.Protocol)
    cut = []
    connection._limits = HttpLimits(1e9, 1e9, 60, 600)
    connection._refused, connection._receiving, connection._began = False, True, 100.0
    connection._received = 10 * 16384
    connection.flow = type("Flow", (), {"read_paused": False})
    connection._refuse = lambda status, text: cut.append(int(status))
    connection.sweep(100 + 69.9)
    assert cut == []
    connection.sweep(100 + 70.1)
    assert cut == [408]


@pytest.mark.parametrize("sent", [b"", b"\r\n", GOOD, GOOD + b"\r\n"])
def test_a_connection_without_a_request_is_closed_after_a_bound(limited, connect, sent):
    sock = connect()
    sock.sendall(sent)
    began = time.monotonic()
    answer = everything(sock)
    assert statuses(answer) == ([200] if GOOD in sent else [])
    assert 0.9 < time.monotonic() - began < 10
    good_is_answered(limited)


def test_a_client_that_does_not_read_its_answer_is_not_waited_for(limited):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        sock.connect(("127.0.0.1", limited.rest_port))
        for _ in range(2000):  # metadata is long: more than all buffers hold
            try:
                sock.settimeout(0.2)
                sock.sendall(b"GET /v1/models/kinds/metadata HTTP/1.1\r\nHost: x\r\n\r\n")
            except OSError:
                break
        connections = limited._http._server.server_state.connections
        wait_until(lambda: not any(c.transport.get_write_buffer_size() for c in list(connections)))
    good_is_answered(limited)


def test_one_call_too_many_is_refused_at_once_on_both_faces(limited):
    stub, rest = Grpc(f"localhost:{limited.grpc_port}"), Rest(limited.rest_port)
    steps = 1_000_000
    with limited.manager.use("kinds") as servable:
        entered, run, go_on = threading.Semaphore(0), servable.run, threading.Event()

        def held(*args):
            entered.release()
            assert go_on.wait(30)
            return run(*args)

        servable.run = held
    try:
        over_http = [threading.Thread(target=rest.predict, args=("kinds", TOTAL)) for _ in range(2)]
        request = predict_request("kinds", {"x": np.float32([1])}, signature="total")
        over_grpc = [stub.prediction.Predict.future(request, timeout=60) for _ in range(2)]
        for thread in over_http:
            thread.start()
        for _ in range(4):
            assert entered.acquire(timeout=30)
        began = time.monotonic()
        body = {"signature_name": "steps", "inputs": steps}
        assert rest.error("kinds", body) == (
            429, "2 requests are being answered, which is the limit; ask again later",
        )  # fmt: skip
        answer = rest.post("/v1/models/kinds:predict", body, **{"x-request-id": "mine"})
        assert (answer.status_code, answer.headers["x-request-id"]) == (429, "mine")
        assert refused(stub.prediction.Predict, request, timeout=30)[0] == "RESOURCE_EXHAUSTED"
        assert time.monotonic() - began < 5
        assert rest.get("/v1/models/kinds").ok, "what runs no model is answered"
    finally:
        go_on.set()
        servable.run = run
    for thread in over_http:
        thread.join(30)
    assert [call.result().outputs["y"].float_val[0] for call in over_grpc] == [1, 1]
    good_is_answered(limited)


def test_a_grpc_message_that_is_too_large_is_refused(limited):
    stub = Grpc(f"localhost:{limited.grpc_port}")
    large = {"x": np.zeros(10_000, np.float32)}
    assert refused(stub.predict, "kinds", large, signature="total")[0] == "RESOURCE_EXHAUSTED"
    assert stub.predict("kinds", {"x": np.float32([1])}, signature="total")["y"] == 1


@pytest.mark.parametrize("dtype", ["DT_FLOAT", "DT_STRING"])
def test_a_tensor_that_declares_2_to_the_40_elements_is_an_error(ask, dtype):
    for dims in ([1 << 40], [1 << 20, 1 << 20]):
        for value in ({}, {"tensor_content": b"\0\0\0\0"}, {"float_val": [1]}):
            shape = {"dim": [{"size": size} for size in dims]}
            tensor = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(dtype), tensor_shape=shape, **value)
            found = refused(ask.predict, "kinds", {"x": tensor}, signature="echo_float32")
            assert found == ("INVALID_ARGUMENT", "tensor parsing error: x")
    assert ask.predict("scale", {"x": np.float32([[1]])})["y"] == 3


def test_a_packed_body_is_unpacked_beside_the_loop_that_reads_and_writes(rest, monkeypatch):
    unpack, threads = http_body.unpacked, []
    monkeypatch.setattr(
        http_body, "unpacked", lambda *args: (threads.append(threading.current_thread().name), unpack(*args))[1]
    )
    bomb = gzip.compress(b" " * (101 << 20), 1)
    answer = rest.post("/v1/models/scale:predict", bomb, **{"Content-Encoding": "gzip"})
    assert answer.json() == {"error": "JSON Parse error: The document is empty"}
    assert [name.startswith("rest") for name in threads] == [True]


def test_with_1000_open_connections_on_each_face_a_good_call_is_answered(server, ask, rest):
    connections = []
    try:
        for port in (server.rest_port, server.grpc_port):
            for index in range(1000):
                connections.append(socket.create_connection(("localhost", port), timeout=20))
                if index % 2 and port == server.rest_port:
                    connections[-1].sendall(POST + b"Content-Length: 1000\r\n\r\n{")
        assert rest.predict("scale", {"inputs": [1]}).json() == {"outputs": [3.0]}
        channel = grpc.insecure_channel(f"localhost:{server.grpc_port}", [("grpc.use_local_subchannel_pool", 1)])
        with channel:
            grpc.channel_ready_future(channel).result(timeout=20)
        assert ask.predict("scale", {"x": np.float32([[1]])})["y"] == 3
    finally:
        for sock in connections:
            sock.close()


def test_clients_that_go_away_while_their_calls_run_leave_the_server_as_it_was(limited):
    body = b'{"signature_name": "steps", "inputs": 300000}'
    for _ in range(2):
        with socket.create_connection(("localhost", limited.rest_port), timeout=20) as sock:
            sock.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            time.sleep(0.05)
    stub = Grpc(f"localhost:{limited.grpc_port}")
    request = predict_request("kinds", {"steps": np.int32(300_000)}, signature="steps")
    gone = [stub.prediction.Predict.future(request, timeout=60) for _ in range(2)]
    time.sleep(0.05)
    for call in gone:
        call.cancel()
    wait_until(lambda: Rest(limited.rest_port).predict("kinds", TOTAL).ok)
    wait_until(lambda: answers(stub))


def answers(stub):
    """Whether the call is answered; one that is refused, since others run, may be asked again."""
    request = predict_request("kinds", {"x": np.float32([1])}, signature="total")
    call = stub.prediction.Predict.future(request, timeout=30)
    code = call.code()
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED)
    return code is grpc.StatusCode.OK


def test_calls_are_counted_out_when_they_fail():
    at_once = Concurrency(1)
    for _ in range(2):
        with pytest.raises(KeyError), at_once:
            raise KeyError
    with at_once, pytest.raises(ResourceExhaustedError, match="1 requests are being answered"), at_once:
        pass
    assert at_once.running == 0
    with Concurrency(0) as without, Concurrency(0):
        assert without is None


@pytest.mark.parametrize("name", [*LIMITS, "grpc_max_receive_message_bytes"])
def test_a_limit_is_no_negative_number(name):
    with pytest.raises(InvalidArgumentError, match=f"{name} is -1; expected"):
        ServerOptions(model_base_path="/m", **{name: -1}).check()


def test_0_is_no_limit():
    zeros = ServerOptions(model_base_path="/m", **dict.fromkeys(LIMITS, 0))
    zeros.check()
    assert HttpLimits.of(zeros) == HttpLimits(*[float("inf")] * 4)
