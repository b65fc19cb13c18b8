"""Calls on an event loop that wait for what other threads do: all that end at once wake the loop once."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol


class Ends(Protocol):
    """A call that goes on when what it waits for is there."""

    def ended(self) -> None:
        """It is there; on the loop."""
        ...


class Waiting:
    """One call that waits on the loop; `end` is called on any thread."""

    __slots__ = ("_after", "_ended", "_future", "_waking")

    def __init__(self, waking: "Waking", loop: asyncio.AbstractEventLoop) -> None:
        self._waking = waking
        self._future: asyncio.Future[None] = loop.create_future()
        self._ended = False
        self._after: Callable[[], None] | None = None

    def end(self) -> None:
        """What it waits for is there."""
        if self._waking.is_here():
            self.ended()
        else:
            self._waking.add(self)

    def ended(self) -> None:
        """On the loop: goes on, if it has not given up."""
        self._ended = True
        if not self._future.done():
            self._future.set_result(None)
        if self._after is not None:
            self._after()

    async def in_time(self, seconds: float | None) -> None:
        """Waits for the end; raises TimeoutError after so many seconds, None for no limit.

        asyncio.wait_for does the same for whatever can be awaited, at several times the price."""
        if seconds is None:
            await self._future
            return
        timer = asyncio.get_running_loop().call_later(seconds, self._late)
        try:
            await self._future
        finally:
            timer.cancel()

    def _late(self) -> None:
        if not self._future.done():
            self._future.set_exception(TimeoutError())

    def afterwards(self, call: Callable[[], None]) -> None:
        """Has something done at the end, which need not be waited for."""
        if self._ended:
            call()
        else:
            self._after = call


class Waking:
    """Of one event loop. To wake a loop costs a write to its pipe, more than what an answer costs otherwise."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the loop's own thread."""
        self._loop = loop
        self._thread = threading.get_ident()
        self._ended: deque[Ends] = deque()
        self._woken = False

    def is_here(self) -> bool:
        """Whether this is the loop's own thread: nothing is to be woken then."""
        return threading.get_ident() == self._thread

    def waiting(self) -> Waiting:
        """One more call that waits."""
        return Waiting(self, self._loop)

    def add(self, waiting: Ends) -> None:
        """It has come to its end; on any thread."""
        self._ended.append(waiting)
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._woken = False
        while self._ended:
            self._ended.popleft().ended()
