"""How long a gRPC caller may take to send its message.

gRPC waits for the message of a call without limit, and a call that waits counts among those that are answered at once.
Here the wait has a bound. No thread waits for a message, as in TensorFlow Serving."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc

SWEEP_SECONDS = 1.0  # between two looks at those who wait
BUSY_SECONDS = 5.0  # the bound while so many wait as may be answered at once
LATE = "The message of the call has not come within {:g} seconds"
NO_MESSAGE = "Exception deserializing request!"  # gRPC's own texts
MISSING = '"{}" requires exactly one request message.'


class Receiving:
    """Takes the messages of calls, on the event loop. One that has not come in time ends its call with CANCELLED."""

    def __init__(self, seconds: float, most: float = 0, now: Callable[[], float] = time.monotonic) -> None:
        """seconds: the bound, 0 for none; most: how many calls are answered at once, 0 for no limit; now: a clock that
        never jumps."""
        self._seconds = seconds or float("inf")
        self._most = most or float("inf")
        self._now = now
        self._waiting: dict[Any, float] = {}  # context of a call -> since when
        self._timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to look."""
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep_and_again, loop)

    def stop(self) -> None:
        """Ends the looking."""
        if self._timer is not None:
            self._timer.cancel()

    async def message(self, context: Any, decode: Callable[[bytes], Any], method: str) -> Any:
        """The message of a call; ends the call where none comes, or what comes is none."""
        self._waiting[context] = self._now()
        try:
            content = await context.read()
        finally:
            del self._waiting[context]
        if content is grpc.aio.EOF:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, MISSING.format(method))
        try:
            return decode(content)
        except Exception:
            await context.abort(grpc.StatusCode.INTERNAL, NO_MESSAGE)

    @property
    def _bound(self) -> float:
        return min(self._seconds, BUSY_SECONDS) if len(self._waiting) >= self._most else self._seconds

    def sweep(self) -> list[Any]:
        """The contexts of the calls that have waited for too long."""
        bound, now = self._bound, self._now()
        return [context for context, since in self._waiting.items() if now - since > bound]

    def _sweep_and_again(self, loop: asyncio.AbstractEventLoop) -> None:
        bound = self._bound
        for context in self.sweep():
            task = loop.create_task(self._end(context, bound))
            self._ending.add(task)  # the loop itself holds its tasks weakly
            task.add_done_callback(self._ending.discard)
        self.start(loop)

    async def _end(self, context: Any, bound: float) -> None:
        with suppress(grpc.aio.AbortError, grpc.aio.UsageError, grpc.aio.BaseError):
            await context.abort(grpc.StatusCode.CANCELLED, LATE.format(bound))
