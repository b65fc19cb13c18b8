"""Further steps of sequences on a face's event loop: no thread waits for one.

The loop begins the step and goes on with it when its batch has run. Where a call has to wait for its turn or for
another machine, and for starts and ends, there is a thread instead."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from serving.errors import DeadlineExceededError, ServingError
from serving.one_by_one import OneByOne
from serving.sequences.call import Call
from serving.sequences.patience import LATE
from serving.sequences.sequences import Sequences
from serving.sequences.store import Answer
from serving.waking import Waiting, Waking


class Begun:
    """A step that is under way."""

    def __init__(self, waiting: Waiting, one_by_one: OneByOne) -> None:
        self.left = False  # its caller has gone, or waits no more
        self.take: Callable[[], Answer]
        self._waiting = waiting
        self._one_by_one = one_by_one

    async def answer(self, timeout_ms: int | None) -> Answer:
        """Its answer. Raises its error, and DEADLINE_EXCEEDED when so many milliseconds have passed."""
        try:
            await self._waiting.in_time(None if timeout_ms is None else timeout_ms / 1000)
        except BaseException as error:
            self.left = True
            self._waiting.afterwards(
                self._discard
            )  # the sequence is in its turn until the step has run, or was dropped
            if isinstance(error, TimeoutError):
                raise DeadlineExceededError(LATE) from None
            raise
        finally:
            self._one_by_one.leave()
        return self.take()

    def _discard(self) -> None:
        with suppress(ServingError):
            self.take()


class OnLoop:
    """The steps of one face; all of it runs on the face's one event loop."""

    def __init__(self, sequences: Sequences) -> None:
        self._sequences = sequences
        self._waking: Waking | None = None
        self._one_by_one = OneByOne()

    def begin(self, call: Call) -> Begun | None:
        """Begins the step; None where a thread is to ask `Sequences.step`. The call's `gone` is set here."""
        if self._waking is None:
            self._waking = Waking(asyncio.get_running_loop())
        waiting = self._waking.waiting()
        begun = Begun(waiting, self._one_by_one)
        call.gone = lambda: begun.left
        take = self._sequences.begin(call, waiting.end, self._one_by_one.enter())
        if take is None:
            self._one_by_one.leave()
            return None
        begun.take = take
        return begun
