"""Threads that run the batches of all queues.

In TensorFlow: core/kernels/batching_util/shared_batch_scheduler.h."""

import threading
from collections import deque
from collections.abc import Callable

from serving.batching.queue import Batch, Feeds, Queue, Reply
from serving.clock import Clock
from serving.time_left import TimeLeft

Run = Callable[[Batch], None]


class Scheduler:
    """Takes the batches that are due from the queues, one queue after the other."""

    def __init__(self, threads: int, clock: Clock) -> None:
        """threads: how many batches run at once."""
        self._clock = clock
        self._changed = threading.Condition()
        self._queues: deque[tuple[Queue, Run]] = deque()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{index}", daemon=True) for index in range(threads)
        ]

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float | None = None) -> None:
        """Ends the threads; nothing waits in a queue any more.

        seconds: how long it waits for all of them together; one that still runs a batch ends after it. None: until
        they have ended."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        left = TimeLeft(seconds)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(left.seconds())

    def add_queue(self, queue: Queue, run: Run) -> None:
        """From now on batches of this queue are run by this function."""
        with self._changed:
            self._queues.append((queue, run))

    def remove_queues(self, queues: set[Queue]) -> None:
        """These queues are empty and get no more tasks."""
        with self._changed:
            self._queues = deque(found for found in self._queues if found[0] not in queues)

    def submit(self, queue: Queue, feeds: Feeds, rows: int, timeout_ms: int | None) -> Reply:
        """Enqueues a request; raises ServingError when it does not fit."""
        with self._changed:
            reply = queue.add(feeds, rows, timeout_ms, self._clock.micros())
            self._changed.notify()
        return reply

    def take(self) -> tuple[Batch, Run] | int | None:
        """A batch that is due; else the microseconds until one will be; None when nothing waits."""
        now, nearest = self._clock.micros(), None
        for _ in range(len(self._queues)):
            queue, run = self._queues[0]
            self._queues.rotate(-1)
            due = queue.due_micros()
            if due is None:
                continue
            if due <= now:
                return queue.pop(), run
            nearest = min(due - now, nearest or due - now)
        return nearest

    def _work(self) -> None:
        while True:
            with self._changed:
                while not isinstance(found := self.take(), tuple):
                    if self._stopping:
                        return
                    self._changed.wait(None if found is None else found / 1e6)
                self._changed.notify()  # another batch may be due as well
            batch, run = found
            run(batch)
