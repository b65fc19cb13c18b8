"""Callers that open a call and send no message: over a real channel, with two threads for all calls."""

import threading

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2

from serving import grpc_receiving
from serving.grpc_receiving import Receiving
from serving.server import ModelServer
from tests.serving import exports
from tests.serving.asking import Grpc, predict_request, refused, wait_until

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GOOD = predict_request("scale", {"x": np.float32([[1]])})


@pytest.fixture
def small(tmp_path, written, monkeypatch):
    """A server with two threads, which looks a hundred times more often than in use."""
    monkeypatch.setattr(grpc_receiving, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(grpc_receiving, "BUSY_SECONDS", 0.1)
    (tmp_path / "scale").mkdir()
    exports.copy(written["scale"], tmp_path / "scale" / "1")
    with ModelServer.on_free_ports(
        model_name="scale", model_base_path=str(tmp_path / "scale"), grpc_max_threads=2,
        enable_grpc_healthcheck_service=True,
    ) as server:  # fmt: skip
        yield Grpc(f"localhost:{server.grpc_port}")


@pytest.fixture
def never():
    """Messages that do not come until the test ends."""
    ended = threading.Event()

    def messages():
        ended.wait(60)
        yield from ()

    yield messages
    ended.set()


@pytest.mark.parametrize("name", [PREDICT, "/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/Check"])
def test_callers_without_a_message_do_not_keep_the_threads(small, never, name):
    method = small.channel.stream_unary(name)
    strangers = [method.future(never(), timeout=60) for _ in range(6)]
    assert small.predict("scale", {"x": np.float32([[1]])})["y"] == 2
    wait_until(lambda: sum(call.done() for call in strangers) >= 5)  # the last may wait on: a thread is free
    assert {call.code() for call in strangers if call.done()} == {grpc.StatusCode.CANCELLED}


def test_a_call_that_ends_without_a_message_and_bytes_that_are_none_get_the_texts_of_grpc(small):
    method = small.channel.stream_unary(PREDICT)
    assert refused(method, iter(()), timeout=30) == (
        "UNIMPLEMENTED", f'"{PREDICT}" requires exactly one request message.',
    )  # fmt: skip
    call = small.channel.unary_unary(PREDICT)
    assert refused(call, b"\xff\xff", timeout=30) == ("INTERNAL", "Exception deserializing request!")
    assert predict_pb2.PredictResponse.FromString(call(GOOD.SerializeToString(), timeout=30)).outputs["y"]


class Context:
    cancelled = False

    def cancel(self):
        self.cancelled = True


@pytest.mark.parametrize(("waiting", "bound"), [(1, 60), (2, 5)])
def test_the_bound_is_shorter_while_every_thread_waits(waiting, bound):
    times = iter([0.0] * waiting + [bound - 0.1, bound + 0.1])
    receiving, contexts = Receiving(60, threads=2, now=lambda: next(times)), [Context() for _ in range(waiting)]
    come, entered = threading.Event(), threading.Semaphore(0)

    def messages():
        entered.release()
        come.wait(30)
        yield b""

    unary = grpc.unary_unary_rpc_method_handler(lambda request, context: request, bytes.decode)
    handler = receiving.intercept_service(lambda details: unary, type("Details", (), {"method": PREDICT}))
    threads = [threading.Thread(target=handler.stream_unary, args=(messages(), each)) for each in contexts]
    for thread in threads:
        thread.start()
        assert entered.acquire(timeout=30)
    receiving.sweep()
    assert [each.cancelled for each in contexts] == [False] * waiting
    receiving.sweep()
    assert [each.cancelled for each in contexts] == [True] * waiting
    come.set()
    for thread in threads:
        thread.join(30)


def test_0_seconds_are_no_limit():
    receiving = Receiving(0, threads=9, now=lambda: 1e12)
    receiving._waiting[context := Context()] = 0.0
    receiving.sweep()
    assert not context.cancelled
