"""Whether the calls of an event loop come one by one: then the loop itself may run what is brief."""

import asyncio

from serving.servable import Soon

APART = 32  # calls without another beside them: then the next is taken to be alone as well


class OneByOne:
    """Of one loop. Where calls come together it must not run any: over gRPC each comes in a turn of the loop of its
    own, and would find nothing to be joined with."""

    def __init__(self) -> None:
        self._open = 0  # calls that have begun and not ended
        self._apart = 0  # so many were alone, one after the other

    def enter(self) -> Soon | None:
        """Begins a call, which `leave` ends; what may run it, if it comes alone."""
        self._apart = 0 if self._open else self._apart + 1
        self._open += 1
        return asyncio.get_running_loop().call_soon if self._apart > APART else None

    def leave(self) -> None:
        """The call has ended."""
        self._open -= 1
