"""Whose turn it is: the calls of one sequence run one after the other, in the order in which they came.

A call that has to wait for a thread takes its place in the line when it arrives, so that none overtakes it while it is
queued, unpacked or parsed. A call without a place comes on its thread, and goes ahead of those that have none yet:
behind one whose thread it keeps it would wait for ever."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from serving.errors import CancelledError, DeadlineExceededError
from serving.sequences import errors
from serving.sequences.patience import LATE, never
from serving.sequences.patience import Gone as Gone
from serving.sequences.store import Key


class Place:
    """Where a call stands among those of its sequence."""

    __slots__ = ("come", "entered", "key", "left", "number")

    def __init__(self, key: Key, number: int) -> None:
        self.key = key
        self.number = number  # of its arrival, over all sequences
        self.entered = False  # it has a thread
        self.left = False  # it stands in the line no more
        self.come: threading.Event | None = None  # for a thread that waits: its turn has come


class _Line:
    """The calls of one sequence: one at work, the others wait."""

    __slots__ = ("at_work", "end", "end_step", "waiting")

    def __init__(self, at_work: Place | None) -> None:
        self.at_work = at_work  # whose turn it is; None for who has tried it
        self.waiting: deque[Place] = deque()  # in the order of their arrival
        self.end: Place | None = None  # an end that is at work or waits: what comes later finds no sequence
        self.end_step: int | None = None  # its index


class Turns:
    """The lines of all sequences that are at work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[Key, _Line] = {}
        self._arrived = 0

    def arrive(self, key: Key) -> Place:
        """The call's place in the line, for `turn`, which a thread is going to ask for; to be withdrawn at the end."""
        with self._lock:
            place = self._place(key)
            line = self._lines.get(key)
            if line is None:
                self._lines[key] = _Line(place)
            else:
                line.waiting.append(place)
            return place

    def withdraw(self, place: Place) -> None:
        """The call waits no longer for its thread; one whose thread has come gives its turn back by itself."""
        with self._lock:
            if not place.entered:
                self._take_out(place)

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
        place: Place | None = None,
    ) -> Iterator[None]:
        """Inside the `with` no other call of this sequence is at work.

        place: that it took when it arrived; one of another sequence is given back.
        Raises RESOURCE_EXHAUSTED when too many wait before it, DEADLINE_EXCEEDED when the turn does not come in so many
        seconds, CANCELLED when the client has gone meanwhile; while an end that came before is at work or waits
        FAILED_PRECONDITION for a start and NOT_FOUND for others, except for a repeat of that end, which waits as
        well."""
        with self._lock:
            mine = self._enter(key, place)
            line = self._lines[key]
            try:
                ends_before = line.end is not None and line.end.number < mine.number
                if ends_before and (starts or step is None or step != line.end_step):
                    raise errors.ending() if starts else errors.not_found()
                if line.at_work is not mine:
                    if line.waiting.index(mine) >= most_waiting:
                        raise errors.too_many_waiting(key.id, most_waiting)
                    mine.come = threading.Event()
            except BaseException:
                self._take_out(mine)
                raise
            if ends and line.end is None:
                line.end, line.end_step = mine, step
        try:
            if mine.come is not None:
                if not mine.come.wait(seconds):
                    raise DeadlineExceededError(LATE)
                if gone():
                    raise _gone()
            if ends:
                line.end, line.end_step = mine, step
            yield
        finally:
            with self._lock:
                if line.end is mine:
                    line.end = None
                self._take_out(mine)

    def try_enter(self, key: Key) -> bool:
        """Takes the turn if nobody is at work or waits; `leave` gives it back."""
        with self._lock:
            if key in self._lines:
                return False
            self._lines[key] = _Line(None)
            return True

    def leave(self, key: Key) -> None:
        """Gives back what `try_enter` took."""
        with self._lock:
            self._pass_on(key, self._lines[key])

    def _place(self, key: Key) -> Place:
        self._arrived += 1
        return Place(key, self._arrived)

    def _enter(self, key: Key, place: Place | None) -> Place:
        """The place in the line of a call that has a thread now."""
        if place is not None and not place.entered:
            if place.left:
                raise _gone()
            if place.key == key:
                place.entered = True
                return place
            self._take_out(place)
        mine = self._place(key)
        mine.entered = True
        line = self._lines.get(key)
        if line is None:
            self._lines[key] = _Line(mine)
        elif line.at_work is not None and not line.at_work.entered:
            line.waiting.appendleft(line.at_work)
            line.at_work = mine
        else:
            before = (index for index, other in enumerate(line.waiting) if not other.entered)
            line.waiting.insert(next(before, len(line.waiting)), mine)
        return mine

    def _take_out(self, place: Place) -> None:
        """It stands in the line no more; if it was at work, the next one's turn comes."""
        if place.left:
            return
        place.left = True
        line = self._lines[place.key]
        if line.at_work is place:
            self._pass_on(place.key, line)
        else:
            line.waiting.remove(place)

    def _pass_on(self, key: Key, line: _Line) -> None:
        """The next one's turn."""
        if not line.waiting:
            del self._lines[key]
            return
        line.at_work = line.waiting.popleft()
        if line.at_work.come is not None:
            line.at_work.come.set()


def _gone() -> CancelledError:
    return CancelledError("The client has gone while its call waited.")
