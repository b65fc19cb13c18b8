"""A sequence for asyncio: the same calls, each in a thread while it waits."""

import asyncio
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Listed
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np

from serving.sequence_client import Sequence


class AsyncSequence:
    """One sequence of a model.

        async with AsyncSequence(client.sequence("weather")) as sequence:
            forecast = await sequence.step({"temp_max": [[12.8]], ...})

    One call at a time. A call that is cancelled goes on in its thread, and the next one waits for its end; it may have
    counted, as one whose answer has not come (see `Sequence`)."""

    def __init__(self, sequence: Sequence) -> None:
        self._sequence = sequence
        self._running: asyncio.Future[Any] | None = None

    async def __aenter__(self) -> "AsyncSequence":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: Any, traceback: TracebackType | None) -> None:
        await self._in_thread(self._sequence.__exit__, kind, value, traceback)

    async def step(self, inputs: Mapping[str, Any], outputs: Listed[str] = ()) -> dict[str, np.ndarray]:
        """As that of `Sequence`."""
        found: dict[str, np.ndarray] = await self._in_thread(self._sequence.step, inputs, outputs)
        return found

    async def end(self, inputs: Mapping[str, Any] | None = None, outputs: Listed[str] = ()) -> dict[str, np.ndarray]:
        """As that of `Sequence`."""
        found: dict[str, np.ndarray] = await self._in_thread(self._sequence.end, inputs, outputs)
        return found

    async def _in_thread(self, call: Callable[..., Any], *given: Any) -> Any:
        """Runs it when the call before has ended, and to its end, whether or not somebody still waits for it."""
        if self._running is not None:
            await asyncio.wait([self._running])
        in_context = partial(copy_context().run, call, *given)
        running = self._running = asyncio.get_running_loop().run_in_executor(None, in_context)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            running.add_done_callback(self._unanswered)
            raise

    def _unanswered(self, ended: "asyncio.Future[Any]") -> None:
        if not ended.cancelled():
            ended.exception()  # it was raised to nobody
        self._sequence.unanswered()
