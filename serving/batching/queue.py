"""The batches that wait for one set of inputs and outputs.

In TensorFlow: core/kernels/batching_util/shared_batch_scheduler.h. Time is handed in, in microseconds; the
scheduler holds the lock."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from serving.batching.parameters import Parameters
from serving.errors import InvalidArgumentError, ServingError, UnavailableError

Feeds = Mapping[str, np.ndarray]
Wake = Callable[[], None]


class Reply:
    """What a request waits for: the outputs of its parts, or the first error."""

    def __init__(self, parts: int) -> None:
        self._missing = parts
        self._outputs: list[list[np.ndarray]] = [[] for _ in range(parts)]
        self._error: ServingError | None = None
        self._lock = threading.Lock()
        self._done = False
        self._wakes: list[Wake] = []

    def then(self, wake: Wake) -> None:
        """wake is called once, when there is something to take: at once where there is already."""
        with self._lock:
            if not self._done:
                self._wakes.append(wake)
                return
        wake()

    def put(self, part: int, outputs: list[np.ndarray]) -> None:
        """The outputs of one part."""
        with self._lock:
            self._outputs[part] = outputs
            self._missing -= 1
            wakes = self._finish() if not self._missing else []
        for wake in wakes:
            wake()

    def fail(self, error: ServingError) -> None:
        """The request cannot be answered."""
        with self._lock:
            self._error = error
            wakes = self._finish()
        for wake in wakes:
            wake()

    def _finish(self) -> list[Wake]:
        self._done = True
        wakes, self._wakes = self._wakes, []
        return wakes

    def wait(self) -> list[np.ndarray]:
        """What take() gives, as soon as it is there."""
        there = threading.Lock()
        there.acquire()
        self.then(there.release)
        there.acquire()
        return self.take()

    def take(self) -> list[np.ndarray]:
        """The outputs, parts joined on axis 0; raises the error."""
        if self._error is not None:
            raise ServingError(self._error.message, self._error.code)
        if len(self._outputs) == 1:
            return self._outputs[0]
        return [np.concatenate(parts) for parts in zip(*self._outputs, strict=True)]


@dataclass(eq=False)
class Task:
    """A request, or a part of one, in a batch."""

    feeds: Feeds
    rows: int
    reply: Reply
    part: int
    enqueued_micros: int
    timeout_ms: int | None = None

    def late(self, now: int) -> bool:
        """Whether its time is over."""
        return self.timeout_ms is not None and now >= self.enqueued_micros + self.timeout_ms * 1000


@dataclass(eq=False)
class Batch:
    """Tasks that run together."""

    tasks: list[Task] = field(default_factory=list)
    rows: int = 0

    def add(self, task: Task) -> None:
        """Puts a task at the end."""
        self.tasks.append(task)
        self.rows += task.rows


class Queue:
    """Closed batches, and at the end the open one, which may be empty. Tasks are never reordered."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._batches: deque[Batch] = deque([Batch()])
        self._most_batches = max(parameters.max_enqueued_batches, 1)

    def add(self, feeds: Feeds, rows: int, timeout_ms: int | None, now: int) -> Reply:
        """Enqueues a request of so many rows.

        Raises INVALID_ARGUMENT when it is too large, UNAVAILABLE when the queue is full."""
        limit = self._parameters.max_batch_size
        if rows > limit:
            raise InvalidArgumentError(f"Task size {rows} is larger than maximum input batch size {limit}")
        parts = self._split(rows) if self._parameters.enable_large_batch_splitting else self._whole(rows)
        reply = Reply(len(parts))
        begin = 0
        for part, size in enumerate(parts):
            piece = feeds if size == rows else {name: array[begin : begin + size] for name, array in feeds.items()}
            if self._batches[-1].rows + size > self._parameters.rows_of_a_run:
                self._batches.append(Batch())
            self._batches[-1].add(Task(piece, size, reply, part, now, timeout_ms))
            begin += size
        return reply

    def _whole(self, rows: int) -> list[int]:
        if self._batches[-1].rows + rows > self._parameters.rows_of_a_run and len(self._batches) >= self._most_batches:
            raise UnavailableError(
                "The batch scheduling queue to which this task was submitted is full; currently "
                f"{len(self._batches)} batches enqueued and max_enqueued_batches is {self._most_batches}"
            )
        return [rows]

    def _split(self, rows: int) -> list[int]:
        """The sizes of the parts: what fits into the open batch, then whole batches, then the rest."""
        run, waiting = self._parameters.rows_of_a_run, self._batches[-1].rows
        capacity = (self._most_batches - len(self._batches)) * run + run - waiting
        if rows > capacity:
            raise UnavailableError(
                f"The batch scheduling queue to which this task was submitted is full; task size is {rows} but "
                f"scheduling capacity is only {capacity} (num_enqueued_batches={len(self._batches)}, "
                f"max_enqueued_batches={self._most_batches}, open_batch_size={waiting}, max_execution_batch_size={run})"
            )
        first = min(rows, run - waiting)
        rest = rows - first
        parts = [first] * (first > 0) + [run] * (rest // run) + [rest % run] * (rest % run > 0)
        return parts or [0]

    def due_micros(self) -> int | None:
        """When a batch is to be run: a time that has passed for one that is closed or full; None when none waits."""
        if len(self._batches) > 1 or self._batches[0].rows >= self._parameters.rows_of_a_run:
            return 0
        if not self._batches[0].tasks:
            return None
        return self._batches[0].tasks[0].enqueued_micros + self._parameters.batch_timeout_micros

    def pop(self) -> Batch:
        """The batch that is due."""
        if len(self._batches) == 1:
            self._batches.append(Batch())
        return self._batches.popleft()
