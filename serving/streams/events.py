"""What a stream sends, and the place where it waits until its client takes it."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from serving.errors import CancelledError, ServingError, UnavailableError

MOST_WAITING = 64  # events; a stream whose client takes none goes no further
GONE = CancelledError("The client has gone before its text had ended.")
STOPPING = UnavailableError("The server is shutting down.")


@dataclass(frozen=True, slots=True)
class Token:
    """The text that a token adds; its index counts from 0."""

    text: str
    index: int


@dataclass(frozen=True, slots=True)
class Done:
    """The end."""

    tokens: int
    finish_reason: str  # length, stop or end
    sequence_id: int | str | None  # of the sequence, where it is kept


@dataclass(frozen=True, slots=True)
class Failed:
    """The end that it should not have come to."""

    error: ServingError


Event = Token | Done | Failed


class Outbox:
    """Events between the thread that makes them and the one that sends them; one of each."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """wake: tells the taker, from any thread, that there is something to look at."""
        self.closed: ServingError | None = None  # why nobody takes anything any more
        self.changed: Callable[[], None] = _nothing  # tells the maker that there is room again, or that it is closed
        self._wake = wake
        self._events: deque[Event] = deque()
        self._awaited = False  # the maker waits for room
        self._closing = threading.Lock()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self._events

    def has_room(self) -> bool:
        """Whether the maker may go on; if not, it is told by `changed` when it may."""
        if len(self._events) < MOST_WAITING:
            return True
        self._awaited = True
        return len(self._events) < MOST_WAITING  # the taker may have looked just before

    def put(self, event: Event) -> None:
        """One more; never waits."""
        self._events.append(event)
        self._wake()

    def take(self) -> list[Event]:
        """All that is there, in order."""
        taken: list[Event] = []
        while self._events:
            taken.append(self._events.popleft())
        if self._awaited:
            self._awaited = False
            self.changed()
        return taken

    def close(self, why: ServingError) -> None:
        """Nobody takes anything any more. The first reason counts: GONE where the client has gone, or has all it wants;
        STOPPING; or the error that has ended the call."""
        with self._closing:
            self.closed = self.closed or why
        self.changed()
        self._wake()


def _nothing() -> None:
    """For an outbox without a maker that waits."""
