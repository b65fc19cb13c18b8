"""Whose turn it is: the calls of one sequence run one after the other, in the order in which they came."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from serving.errors import CancelledError, DeadlineExceededError
from serving.sequences import errors
from serving.sequences.patience import LATE, never
from serving.sequences.patience import Gone as Gone
from serving.sequences.store import Key


class _Line:
    """The calls of one sequence: one at work, the others wait."""

    def __init__(self) -> None:
        self.waiting: deque[threading.Event] = deque()
        self.ending = False  # an end is at work or waits: what comes later finds no sequence
        self.end_step: int | None = None  # its index
        self.ended = False  # set by the call at work: its end has come about


class Turns:
    """The lines of all sequences that are at work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[Key, _Line] = {}

    @contextmanager
    def turn(
        self,
        key: Key,
        *,
        starts: bool = False,
        ends: bool = False,
        step: int | None = None,
        most_waiting: int = 0,
        seconds: float | None = None,
        gone: Gone = never,
    ) -> Iterator[_Line]:
        """Inside the `with` no other call of this sequence is at work.

        Raises RESOURCE_EXHAUSTED when too many wait, DEADLINE_EXCEEDED when the turn does not come in so many seconds,
        CANCELLED when the client has gone meanwhile; while an end is at work FAILED_PRECONDITION for a start and
        NOT_FOUND for others, except for a repeat of that end, which waits as well. The end itself sets
        `ended` of what it is given."""
        with self._lock:
            line = self._lines.get(key)
            if line is None:
                line = self._lines[key] = _Line()
                mine = None
            else:
                if line.ending and (starts or step is None or step != line.end_step):
                    raise errors.ending() if starts else errors.not_found()
                if len(line.waiting) >= most_waiting:
                    raise errors.too_many_waiting(key.id, most_waiting)
                mine = threading.Event()
                line.waiting.append(mine)
            if ends:
                line.ending, line.end_step = True, step
        try:
            if mine is not None:
                self._wait(key, mine, seconds, gone)
            if ends:
                line.ending, line.end_step = True, step
            try:
                yield line
            finally:
                if ends:
                    line.ending = line.ended
                self._leave(key)
        except (DeadlineExceededError, CancelledError):
            if ends and not line.ended:
                line.ending = False  # it was not run
            raise

    def try_enter(self, key: Key) -> bool:
        """Takes the turn if nobody is at work; `leave` gives it back."""
        with self._lock:
            if key in self._lines:
                return False
            self._lines[key] = _Line()
            return True

    def leave(self, key: Key) -> None:
        """Gives back what `try_enter` took."""
        self._leave(key)

    def _wait(self, key: Key, mine: threading.Event, seconds: float | None, gone: Gone) -> None:
        if not mine.wait(seconds):
            with self._lock:
                line = self._lines[key]
                if not mine.is_set():
                    line.waiting.remove(mine)
                    raise DeadlineExceededError(LATE)
            self._leave(key)
            raise DeadlineExceededError(LATE)
        if gone():
            self._leave(key)
            raise CancelledError("The client has gone while its call waited.")

    def _leave(self, key: Key) -> None:
        """The next one's turn."""
        with self._lock:
            line = self._lines[key]
            if line.waiting:
                line.waiting.popleft().set()
            else:
                del self._lines[key]
