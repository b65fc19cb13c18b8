import asyncio
import threading

import numpy as np
import pytest

from serving import AsyncSequence, GrpcClient, ModelServer, RestClient, Sequence, ServingError
from tests.serving.asking import SECONDS
from tests.serving.sequences import models
from tests.serving.sequences.driving import Late, sums
from tests.serving.sequences.models import chunk


class Held:
    """A client whose steps are answered when so many are under way as the barrier needs."""

    def __init__(self, needed):
        self.needed, self.asked = needed, []

    def predict(self, model, inputs, **more):
        self.asked.append((int(inputs["sequence_control_input"][0]), int(inputs["sequence_step"][0])))
        if inputs.get("x") is None:
            return {}
        self.needed.wait(timeout=30)
        return {"y": 2 * inputs["x"]}


def test_sequences_of_one_loop_wait_beside_each_other():
    client = Held(threading.Barrier(3))

    async def one(number):
        async with AsyncSequence(Sequence([client], "m")) as sequence:
            first = await sequence.step({"x": np.array([number])})
            return first["y"].tolist(), (await sequence.step({"x": np.array([-number])}))["y"].tolist()

    async def all_three():
        return await asyncio.gather(*map(one, (1, 2, 3)))

    assert asyncio.run(all_three()) == [([2], [-2]), ([4], [-4]), ([6], [-6])]
    assert sorted(client.asked) == sorted([(1, 0), (0, 1), (2, 2)] * 3)


def test_an_error_reaches_the_one_who_waits():
    async def end():
        async with AsyncSequence(Sequence([], "m")) as sequence:
            await sequence.end()

    with pytest.raises(ServingError, match="has not begun"):
        asyncio.run(end())


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = models.write(models.Running(1), tmp_path_factory.mktemp("async-sequence") / "m" / "1").parent
    with ModelServer.on_free_ports(model_name="m", model_base_path=str(folder)) as server:
        yield server


@pytest.fixture(params=["grpc", "rest"])
def connect(served, request):
    """Makes clients of the server."""
    if request.param == "grpc":
        return lambda: GrpcClient(f"localhost:{served.grpc_port}")
    return lambda: RestClient(f"http://localhost:{served.rest_port}")


@pytest.fixture
def late(served, monkeypatch):
    """The server's answers come when it is opened."""
    found = Late(served.sequences._store)
    monkeypatch.setattr(served.sequences._store, "write", found)
    yield found
    found.open()


def live(served):
    return served.sequences._store.live("m")


def test_a_server_holds_the_sequences_of_one_loop(served, connect):
    async def one(sizes):
        chunks = chunk(*sizes)
        with connect() as client:
            async with AsyncSequence(client.sequence("m")) as sequence:
                answers = [await sequence.step({"x": x}, ["y"]) for x in chunks[:-1]]
                answers.append(await sequence.end({"x": chunks[-1]}, ["y"]))
        for index, answer in enumerate(answers):
            np.testing.assert_array_equal(answer["y"], sums(*chunks[: index + 1]))

    async def all_three():
        await asyncio.gather(*map(one, ([2, 1, 1], [1, 3], [1, 1, 1, 2])))

    asyncio.run(all_three())
    assert live(served) == 0


async def cancelled(late, step):
    """Cancels a step whose answer is under way."""
    running = asyncio.ensure_future(step)
    assert await asyncio.to_thread(late.reached.wait, SECONDS)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_a_step_that_was_cancelled_gives_its_answer_when_it_is_repeated(connect, late):
    a, b = chunk(2, 1)

    async def main():
        with connect() as client:
            async with AsyncSequence(client.sequence("m")) as sequence:
                await cancelled(late, sequence.step({"x": a}))
                late.open()
                with pytest.raises(ServingError, match="step 0 may have counted"):
                    await sequence.step({"x": b})
                np.testing.assert_array_equal((await sequence.step({"x": a}))["y"], sums(a))
                np.testing.assert_array_equal((await sequence.step({"x": b}))["y"], sums(a, b))

    asyncio.run(main())


def test_the_block_ends_the_sequence_when_the_cancelled_step_has_ended(served, connect, late):
    (a,) = chunk(2)

    async def main():
        with connect() as client:
            async with AsyncSequence(client.sequence("m")) as sequence:
                await cancelled(late, sequence.step({"x": a}))
                assert live(served)
                asyncio.get_running_loop().call_later(0.1, late.open)

    asyncio.run(main())
    assert live(served) == 0
