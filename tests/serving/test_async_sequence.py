import asyncio
import threading

import numpy as np
import pytest

from serving.async_sequence import AsyncSequence
from serving.errors import ServingError
from serving.sequence_client import Sequence


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
