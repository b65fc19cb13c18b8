"""A servable whose calls are joined into batches. In TensorFlow Serving: batching/batching_session.cc."""

import os
import threading
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from serving.batching import parameters as batching_parameters
from serving.batching.joining import join, rows_of, split
from serving.batching.parameters import Parameters
from serving.batching.queue import Batch, Queue, Reply
from serving.batching.scheduler import Scheduler
from serving.clock import Clock
from serving.errors import InternalError, ResourceExhaustedError, ServingError
from serving.servable import Servable, Soon, Take, Wake
from serving.server_metrics import ServerMetrics

PER_MODEL_FILE = "batching_params.pbtxt"
LATE = "Run() timeout exceeded while waiting in batching queue"
Key = tuple[frozenset[str], frozenset[str]]


class BatchedServable(Servable):
    """Runs nothing alone: calls with the same input and output tensors share a queue."""

    begins = True

    def __init__(
        self, inner: Servable, parameters: Parameters, scheduler: Scheduler, metrics: ServerMetrics, clock: Clock
    ) -> None:
        """inner: what runs the batches. Raises INVALID_ARGUMENT for parameters that cannot be."""
        parameters.check()
        self.name, self.version = inner.name, inner.version
        self.signature_defs, self.signatures = inner.signature_defs, inner.signatures
        self._inner = inner
        self._parameters = parameters
        self._scheduler = scheduler
        self._metrics = metrics
        self._clock = clock
        self._queues: dict[Key, Queue] = {}
        self._queues_lock = threading.Lock()

    @property
    def unbatched(self) -> Servable:
        """What runs the batches."""
        return self._inner

    @property
    def batching(self) -> Parameters:
        """How calls are joined."""
        return self._parameters

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], timeout_ms: int | None = None
    ) -> list[np.ndarray]:
        """As Servable.run; waits for the batch that the call gets into.

        Raises also INVALID_ARGUMENT for inputs that cannot be joined, UNAVAILABLE when the queue is full,
        RESOURCE_EXHAUSTED when its time was over before it ran."""
        return _in_order(self._submitted(feeds, fetches, timeout_ms).wait(), fetches)

    def begin(
        self,
        feeds: Mapping[str, np.ndarray],
        fetches: Sequence[str],
        timeout_ms: int | None,
        wake: Wake,
        soon: Soon | None = None,
    ) -> Take:
        """As Servable.begin; the errors are those of run()."""
        if soon is not None and not self._inner.is_brief(feeds, sorted(set(fetches))):
            soon = None
        reply = self._submitted(feeds, fetches, timeout_ms, soon)
        reply.then(wake)
        return lambda: _in_order(reply.take(), fetches)

    def _submitted(
        self,
        feeds: Mapping[str, np.ndarray],
        fetches: Sequence[str],
        timeout_ms: int | None,
        soon: Soon | None = None,
    ) -> Reply:
        rows = rows_of(feeds)
        self._inner.check_dtypes(feeds)  # a wrong one would harm the whole batch
        for _ in feeds:
            self._metrics.input_batch_size.observe(rows)
        return self._scheduler.submit(self._queue(feeds, fetches), feeds, rows, timeout_ms, soon)

    def check_dtypes(self, feeds: Mapping[str, np.ndarray]) -> None:
        """As Servable.check_dtypes."""
        self._inner.check_dtypes(feeds)

    def _queue(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> Queue:
        key = frozenset(feeds), frozenset(fetches)
        with self._queues_lock:
            queue = self._queues.get(key)
            if queue is None:
                queue = self._queues[key] = Queue(self._parameters)
                self._scheduler.add_queue(queue, partial(self._run_batch, sorted(key[1])))
        return queue

    def _run_batch(self, fetches: Sequence[str], batch: Batch) -> None:
        """Runs a batch and answers its tasks; a failure is that of every task in it."""
        now = self._clock.micros()
        for task in batch.tasks:
            self._metrics.queuing_latency.observe(now - task.enqueued_micros, "")
        try:
            if all(task.late(now) for task in batch.tasks):
                raise ResourceExhaustedError(LATE)
            feeds, extra = join(batch.tasks, self._parameters)
            rows = batch.rows + extra
            self._metrics.wrapped_run_count.add()
            self._metrics.padding_size.observe(extra, str(rows))
            self._metrics.processed_batch_size.observe(rows)
            outputs = self._inner.run(feeds, fetches, _timeout_ms(batch, now))
            answers = split(outputs, batch.tasks, extra)
        except ServingError as error:
            self._fail(batch, error)
        except Exception as error:
            self._fail(batch, InternalError(f"{type(error).__name__}: {error}"))
        else:
            for task, answer in zip(batch.tasks, answers, strict=True):
                task.reply.put(task.part, answer)

    def _fail(self, batch: Batch, error: ServingError) -> None:
        for task in batch.tasks:
            task.reply.fail(error)

    def close(self) -> None:
        """Frees the session; no call waits or runs any more."""
        self._scheduler.remove_queues(set(self._queues.values()))
        self._inner.close()


def _in_order(outputs: Sequence[np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
    """The outputs of a queue, which are sorted, in the order of a call."""
    by_tensor = dict(zip(sorted(set(fetches)), outputs, strict=True))
    return [by_tensor[tensor] for tensor in fetches]


def _timeout_ms(batch: Batch, now: int) -> int | None:
    """Until the latest deadline of the batch; None when a task has none."""
    left = []
    for task in batch.tasks:
        if task.timeout_ms is None:
            return None
        left.append(task.timeout_ms - (now - task.enqueued_micros) // 1000)
    return max(left)


def parameters_for(folder: str, of_all: Parameters, per_model: bool) -> Parameters | None:
    """The parameters of the version in this folder; None when it is not to be batched.

    per_model: only those in its own file count."""
    if not per_model:
        return of_all
    path = os.path.join(folder, PER_MODEL_FILE)
    return batching_parameters.read(path) if os.path.exists(path) else None
