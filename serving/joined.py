"""Predict where calls are joined: no thread waits for a call. The event loop of a face begins it, and goes on with it
when its batch is done."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from serving.calls import Calls, ModelSpec
from serving.errors import DeadlineExceededError, ServingError
from serving.harness import Harness
from serving.observing import CURRENT
from serving.one_by_one import OneByOne
from serving.servable import Servable
from serving.waking import Waking

LITTLE_BYTES, LITTLE_ELEMENTS = 1 << 16, 1 << 12  # decoded in half a millisecond, encoded in one: the loop may do it


class Joined:
    """The joined calls of one face; all of it runs on the face's one event loop."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._one_by_one = OneByOne()
        self._waking: Waking | None = None

    def hold(self, spec: ModelSpec) -> Harness | None:
        """The version that the spec means, which stays loaded until it is left, if its calls are joined.

        None where they are not, or the spec means none: the call itself will say what is wrong."""
        try:
            held = self._calls.hold(spec)
        except ServingError:
            return None
        if held.loaded.begins:
            return held
        held.leave()
        return None

    def waking(self) -> Waking:
        """What wakes the loop when calls have ended; on the loop."""
        if self._waking is None:
            self._waking = Waking(asyncio.get_running_loop())
        return self._waking

    async def predict(
        self,
        held: Harness,
        spec: ModelSpec,
        inputs: Callable[[Servable], Mapping[str, Any]],
        timeout_ms: int | None,
        *,
        decode: Callable[[Any], np.ndarray] = np.asarray,
        output_filter: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """Output alias -> array; leaves the version. inputs: alias -> what `decode` takes, given the version.

        Raises as Calls.predict, and DEADLINE_EXCEEDED when timeout_ms have passed before the answer is there."""
        waiting = self.waking().waiting()
        soon = self._one_by_one.enter()
        leave: Callable[[], None] | None = held.leave
        try:
            servable: Servable = held.loaded
            request = CURRENT.get()
            if request is not None:
                request.spec, request.version = spec, servable.version
            take = self._calls.begin_predict(
                servable,
                spec.signature,
                inputs(servable),
                waiting.end,
                soon,
                decode=decode,
                output_filter=output_filter,
                timeout_ms=timeout_ms,
            )
            try:
                await waiting.in_time(None if timeout_ms is None else timeout_ms / 1000)
            except BaseException as error:
                leave = None
                waiting.afterwards(held.leave)  # it may still run: the version stays for it
                if isinstance(error, TimeoutError):
                    raise DeadlineExceededError("Timed out waiting for notification") from None
                raise
            return take()
        finally:
            self._one_by_one.leave()
            if leave is not None:
                leave()
