"""Callers that open a call and send no message: over a real channel, with two threads for all calls."""

import asyncio
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
    """A server with two threads that answers six calls at once, which looks a hundred times more often than in use."""
    monkeypatch.setattr(grpc_receiving, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(grpc_receiving, "BUSY_SECONDS", 0.1)
    (tmp_path / "scale").mkdir()
    exports.copy(written["scale"], tmp_path / "scale" / "1")
    with ModelServer.on_free_ports(
        model_name="scale", model_base_path=str(tmp_path / "scale"), grpc_max_threads=2, max_concurrent_requests=6,
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
def test_callers_without_a_message_hold_no_thread_and_no_place(small, never, name):
    method = small.channel.stream_unary(name)
    strangers = [method.future(never(), timeout=60) for _ in range(5)]
    assert small.predict("scale", {"x": np.float32([[1]])})["y"] == 2
    assert not any(call.done() for call in strangers)  # there is a place left: they have the whole time
    strangers.append(method.future(never(), timeout=60))
    wait_until(lambda: any(call.done() for call in strangers))  # there is a place again: the others may wait on
    assert {(call.code(), call.details()) for call in strangers if call.done()} == {
        (grpc.StatusCode.CANCELLED, "The message of the call has not come within 0.1 seconds")
    }
    assert small.predict("scale", {"x": np.float32([[1]])})["y"] == 2


def test_a_call_that_ends_without_a_message_and_bytes_that_are_none_get_the_texts_of_grpc(small):
    method = small.channel.stream_unary(PREDICT)
    assert refused(method, iter(()), timeout=30) == (
        "UNIMPLEMENTED", f'"{PREDICT}" requires exactly one request message.',
    )  # fmt: skip
    call = small.channel.unary_unary(PREDICT)
    assert refused(call, b"\xff\xff", timeout=30) == ("INTERNAL", "Exception deserializing request!")
    assert predict_pb2.PredictResponse.FromString(call(GOOD.SerializeToString(), timeout=30)).outputs["y"]


class Context:
    """A call whose message comes when the test says so."""

    def __init__(self):
        self.come = asyncio.Event()

    async def read(self):
        await self.come.wait()
        return b"it"


@pytest.mark.parametrize(("most", "bound"), [(3, 60), (2, 5), (0, 60)])
def test_the_bound_is_shorter_while_no_place_is_left(most, bound):
    async def waiting():
        now = 0.0
        receiving, contexts = Receiving(60, most, now=lambda: now), [Context(), Context()]
        calls = [asyncio.ensure_future(receiving.message(each, bytes.decode, PREDICT)) for each in contexts]
        await asyncio.sleep(0)
        now = bound - 0.1
        assert receiving.sweep() == []
        now = bound + 0.1
        assert receiving.sweep() == contexts
        contexts[0].come.set()
        assert await calls[0] == "it"
        now = 60.1
        assert receiving.sweep() == contexts[1:]
        contexts[1].come.set()
        await calls[1]

    asyncio.run(waiting())


def test_0_seconds_are_no_limit():
    async def waiting():
        now = 0.0
        receiving, context = Receiving(0, 9, now=lambda: now), Context()
        call = asyncio.ensure_future(receiving.message(context, bytes.decode, PREDICT))
        await asyncio.sleep(0)
        now = 1e12
        assert receiving.sweep() == []
        context.come.set()
        await call

    asyncio.run(waiting())
