"""A sequence for asyncio: the same calls, each in a thread while it waits."""

import asyncio
from collections.abc import Mapping
from collections.abc import Sequence as Listed
from types import TracebackType
from typing import Any

import numpy as np

from serving.sequence_client import Sequence


class AsyncSequence:
    """One sequence of a model.

        async with AsyncSequence(client.sequence("weather")) as sequence:
            forecast = await sequence.step({"temp_max": [[12.8]], ...})

    A call that is cancelled may have counted: the sequence is then not to be used any further."""

    def __init__(self, sequence: Sequence) -> None:
        self._sequence = sequence

    async def __aenter__(self) -> "AsyncSequence":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: Any, traceback: TracebackType | None) -> None:
        await asyncio.to_thread(self._sequence.__exit__, kind, value, traceback)

    async def step(self, inputs: Mapping[str, Any], outputs: Listed[str] = ()) -> dict[str, np.ndarray]:
        """As that of `Sequence`."""
        return await asyncio.to_thread(self._sequence.step, inputs, outputs)

    async def end(self, inputs: Mapping[str, Any] | None = None, outputs: Listed[str] = ()) -> dict[str, np.ndarray]:
        """As that of `Sequence`."""
        return await asyncio.to_thread(self._sequence.end, inputs, outputs)
