"""What gathered while the last batch ran is the next batch: no waiting time.

A call that comes while nothing runs runs at once, alone, on its own thread. Those that come meanwhile wait; when the
run ends, the first of them runs them all, and so on. What was begun without a thread that waits is run by the
executor's."""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Generic, TypeVar

from serving.clock import Clock
from serving.errors import DeadlineExceededError, InternalError

MOST_ROWS = 64
LATE = "Timed out waiting for notification"
Item = TypeVar("Item")
Answer = TypeVar("Answer")


class _Waiting(Generic[Item, Answer]):
    """A call that waits for its turn."""

    def __init__(
        self, item: Item, rows: int, deadline_micros: int | None, wake: Callable[[], None] | None = None
    ) -> None:
        """wake: called when it is answered, in the place of a thread that waits."""
        self.item = item
        self.rows = rows
        self.deadline_micros = deadline_micros
        self.begun = wake is not None
        self.to_run: list[_Waiting[Item, Answer]] | None = None  # the batch that this call is to run, itself first
        self.answers: list[Answer] = []  # one when it is there
        self.error: BaseException | None = None
        self.turn = threading.Lock()  # released once: when it is to run a batch, or when it is answered
        self.turn.acquire()
        self.wake: Callable[[], None] = wake or self.turn.release

    def left_ms(self, now: int) -> int | None:
        """Milliseconds until its deadline, rounded up; None without one."""
        return None if self.deadline_micros is None else -((now - self.deadline_micros) // 1000)

    def late(self, now: int) -> bool:
        """Whether its time is over."""
        return self.deadline_micros is not None and now >= self.deadline_micros

    def result(self) -> Answer:
        """The answer; raises the error."""
        if self.error is not None:
            raise self.error
        if not self.answers:
            raise InternalError("A batch ended without an answer for each of its calls.")
        return self.answers[0]


class _Lane(Generic[Item, Answer]):
    """The calls with one key."""

    def __init__(self) -> None:
        self.running = 0
        self.waiting: deque[_Waiting[Item, Answer]] = deque()


class Gathering(Generic[Item, Answer]):
    """Joins the calls with one key that wait for the same run. Calls are never reordered."""

    def __init__(
        self,
        run: Callable[[Sequence[Item], int | None], Sequence[Answer]],
        clock: Clock,
        most_rows: int = MOST_ROWS,
        at_once: int = 1,
        executor: Executor | None = None,
    ) -> None:
        """run: of items with one key, and the milliseconds that it may take, None for no limit; an answer for each.
        most_rows: of one batch (a call with more runs alone); at_once: how many batches of one key; executor: runs
        what begin() has begun."""
        self._run = run
        self._clock = clock
        self._most_rows = most_rows
        self._at_once = at_once
        self._executor = executor
        self._lock = threading.Lock()
        self._lanes: dict[Hashable, _Lane[Item, Answer]] = {}

    def call(self, item: Item, key: Hashable, rows: int = 1, timeout_ms: int | None = None) -> Answer:
        """The answer for an item, from a run of its own or with others.

        Raises what its run raised; a run of several that fails is repeated one by one, so that each call gets its
        own error. Raises DEADLINE_EXCEEDED when timeout_ms have passed before its turn: it does not run then."""
        waiting = _Waiting[Item, Answer](item, rows, self._deadline(timeout_ms))
        lane, free = self._enter(key, waiting)
        if free:
            try:
                return self._run([item], timeout_ms)[0]
            finally:
                self._next(key, lane)
        self._wait(lane, waiting, timeout_ms)
        if waiting.to_run is not None:
            self._run_batch(key, lane, waiting.to_run)
        return waiting.result()

    def begin(
        self,
        item: Item,
        key: Hashable,
        rows: int,
        timeout_ms: int | None,
        wake: Callable[[], None],
        soon: Callable[[Callable[[], None]], object] | None = None,
    ) -> Callable[[], Answer]:
        """As call(), but returns at once: wake is called when what it returned gives the answer, or raises.

        soon: runs it, where it may run at once, in the place of the executor.
        One whose time is over before its turn has its error at its turn, not before."""
        waiting = _Waiting[Item, Answer](item, rows, self._deadline(timeout_ms), wake)
        lane, free = self._enter(key, waiting)
        if free and soon is not None:
            soon(partial(self._run_batch, key, lane, [waiting]))
        elif free:
            self._lead(key, lane, [waiting])
        return waiting.result

    def _deadline(self, timeout_ms: int | None) -> int | None:
        return None if timeout_ms is None else self._clock.micros() + timeout_ms * 1000

    def _enter(self, key: Hashable, waiting: _Waiting[Item, Answer]) -> tuple[_Lane[Item, Answer], bool]:
        """Its lane, and whether it may run at once; if not, it waits there."""
        with self._lock:
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = _Lane()
            free = lane.running < self._at_once and not lane.waiting
            if free:
                lane.running += 1
            else:
                lane.waiting.append(waiting)
        return lane, free

    def _lead(self, key: Hashable, lane: _Lane[Item, Answer], batch: list[_Waiting[Item, Answer]]) -> None:
        """Has a batch run: by the thread that waits for its first call, or by the executor's."""
        if self._executor is not None and batch[0].begun:
            self._executor.submit(self._run_batch, key, lane, batch)
        else:
            batch[0].turn.release()

    def _wait(self, lane: _Lane[Item, Answer], waiting: _Waiting[Item, Answer], timeout_ms: int | None) -> None:
        """Until it is to run a batch, or is answered; raises DEADLINE_EXCEEDED when its time is over before."""
        if waiting.turn.acquire(timeout=-1 if timeout_ms is None else max(timeout_ms, 0) / 1000):
            return
        with self._lock:
            if waiting.to_run is not None:
                return  # others depend on it
            if waiting in lane.waiting:
                lane.waiting.remove(waiting)
        raise DeadlineExceededError(LATE)

    def _next(self, key: Hashable, lane: _Lane[Item, Answer]) -> None:
        """A run has ended: the first of those that wait runs the next batch."""
        late = []
        with self._lock:
            now = self._clock.micros()
            batch: list[_Waiting[Item, Answer]] = []
            rows = 0
            while lane.waiting and (not batch or rows + lane.waiting[0].rows <= self._most_rows):
                found = lane.waiting.popleft()
                if found.late(now):
                    late.append(found)
                    continue
                batch.append(found)
                rows += found.rows
            if batch and not batch[0].begun:
                batch[0].to_run = batch
            if not batch:
                lane.running -= 1
                if not lane.running:
                    del self._lanes[key]
        for found in late:
            found.error = DeadlineExceededError(LATE)
            found.wake()
        if batch:
            self._lead(key, lane, batch)

    def _run_batch(self, key: Hashable, lane: _Lane[Item, Answer], batch: list[_Waiting[Item, Answer]]) -> None:
        try:
            self._answer(batch)
        finally:
            self._next(key, lane)
            for one in batch if batch[0].begun else batch[1:]:
                one.wake()

    def _answer(self, batch: list[_Waiting[Item, Answer]]) -> None:
        """Gives each call of a batch its answer or its error."""
        now = self._clock.micros()
        left = [one.left_ms(now) for one in batch]
        timeout_ms = None if None in left else max(ms for ms in left if ms is not None)
        try:
            answers = self._run([one.item for one in batch], timeout_ms)
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            for one in batch:
                if one.late(self._clock.micros()):
                    one.error = DeadlineExceededError(LATE)
                else:
                    self._answer([one])
            return
        for one, answer in zip(batch, answers, strict=True):
            one.answers.append(answer)
