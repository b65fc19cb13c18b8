"""Steps of different sequences of one version, joined into one run of its graph.

Of the calls that wait, one runs the batch for all, then the next one takes over; a call that no thread waits for has
its batch run on a thread of the joiner's. What has gathered while a batch ran is the next batch."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from serving.batching.parameters import Parameters
from serving.batching.ragged import Extent, Feeds, cut, longest, stack
from serving.clock import Clock
from serving.errors import InternalError, ServingError
from serving.log import log_unexpected
from serving.sequences.contract import Contract
from serving.sequences.patience import FOREVER, Patience
from serving.sequences.store import Change
from serving.servable import Servable, Soon

MOST_ROWS = 64  # without --enable_batching
LEADERS = 8  # threads for batches that no caller runs; none of them waits for another
MOST_BRIEF = 256
SHORT_CHUNK = 16  # time steps; chunks up to it are padded to each other, longer ones only to the next power of two


@dataclass(eq=False)
class Step:
    """One call's share of a batch: a row."""

    state: bytes
    feeds: Feeds  # tensor name -> [1, ...], without the states; `lengths` where the signature has it
    outputs: tuple[str, ...]  # aliases of those that are wanted
    patience: Patience = FOREVER
    change: Callable[["Step"], Change] | None = None  # what a success writes into the store
    found: dict[str, np.ndarray] = field(default_factory=dict)  # output alias -> [1, ...]
    new_state: bytes = b""
    error: ServingError | None = None
    lead: bool = False  # its caller is to run the next batch
    woken: threading.Event | None = None  # for a caller that waits
    wake: Callable[[], None] | None = None  # for a caller on an event loop: told the end
    done: bool = False  # it has run, or is not worth running any more


class _Queue:
    """Steps that can be joined."""

    def __init__(self) -> None:
        self.waiting: deque[Step] = deque()
        self.filled: threading.Event | None = None  # for a leader that waits for more


class Joiner:
    """Joins the steps of one version."""

    def __init__(
        self,
        servable: Servable,
        contract: Contract,
        clock: Clock,
        written: Callable[[Sequence[Step]], None],
        ran: Callable[[int, float], None],
        writes_at_once: bool,
    ) -> None:
        """written: keeps the results of a batch, before anybody is answered; ran: told the rows of each run, and its
        seconds; writes_at_once: whether `written` waits for nothing."""
        self._servable = servable.unbatched
        self._contract = contract
        self._clock = clock
        self._written = written
        self._ran = ran
        self._writes_at_once = writes_at_once
        self._parameters: Parameters | None = servable.batching
        self._most_rows = self._parameters.max_batch_size if self._parameters else MOST_ROWS
        self._lock = threading.Lock()
        self._queues: dict[Any, _Queue] = {}
        self._brief: set[Any] = set()  # extents of steps that take little time alone
        self._leaders = ThreadPoolExecutor(LEADERS, thread_name_prefix="sequence-steps")

    def begin(self, step: Step, wake: Callable[[], None], soon: Soon | None = None) -> None:
        """As `run`, but returns at once; wake: called, on any thread, when the step has its `error` or its results.

        soon: runs it in the place of a thread of the joiner's, if nothing waits by then and it is known to be brief."""
        step.wake = wake
        key = self._key(step)
        with self._lock:
            queue = self._queues.get(key)
            leads = queue is None
            if queue is None:
                queue = self._queues[key] = _Queue()
            elif queue.filled is not None and len(queue.waiting) + 1 >= self._most_rows:
                queue.filled.set()
            queue.waiting.append(step)
        if leads and soon is not None and self._writes_at_once and self._extent(step) in self._brief:
            soon(partial(self._lead_soon, key, queue))
        elif leads:
            self._leaders.submit(self._lead_on, key, queue)

    def _lead_soon(self, key: Any, queue: _Queue) -> None:
        """On the thread of an event loop, which must not wait."""
        if len(queue.waiting) > 1 or (self._parameters and self._parameters.batch_timeout_micros):
            self._leaders.submit(self._lead_on, key, queue)
        else:
            self._lead_once(key, queue)

    def _extent(self, step: Step) -> Any:
        """What the time that a step takes alone hangs on, where it is brief."""
        return step.outputs, *((tensor, array.shape) for tensor, array in step.feeds.items())

    def run(self, step: Step) -> None:
        """Runs the step, alone or with others; raises its error."""
        key = self._key(step)
        with self._lock:
            queue = self._queues.get(key)
            if queue is None:
                queue = self._queues[key] = _Queue()
                step.lead = True
            else:
                step.woken = threading.Event()
                if queue.filled is not None and len(queue.waiting) + 1 >= self._most_rows:
                    queue.filled.set()
            queue.waiting.append(step)
        if step.woken is not None:
            step.woken.wait()
        if step.lead:
            self._lead_once(key, queue)
        if step.error is not None:
            raise ServingError(step.error.message, step.error.code)

    def run_all(self, steps: Sequence[Step]) -> None:
        """Runs steps of different sequences for one caller, together and with others; each has its own `error`.

        Their feeds must be alike: the same inputs, dtypes and shapes."""
        key = self._key(steps[0])
        if key is steps[0]:
            for step in steps:
                step.error = step.patience.over(self._clock.micros())
                if step.error is None:
                    self._run_all([step])
            return
        woken = threading.Event()
        with self._lock:
            queue = self._queues.get(key)
            if queue is None:
                queue = self._queues[key] = _Queue()
                steps[0].lead = True
            elif queue.filled is not None and len(queue.waiting) + len(steps) >= self._most_rows:
                queue.filled.set()
            for step in steps:
                step.woken = woken
            queue.waiting.extend(steps)
        while not all(step.done for step in steps):
            leading = next((step for step in steps if step.lead and not step.done), None)
            if leading is None:
                woken.wait()
                woken.clear()
            else:
                self._lead_once(key, queue)

    def _key(self, step: Step) -> Any:
        """Steps with the same key can be joined; what runs alone has a key of its own."""
        layout = self._contract.ragged
        key = layout.key(step.feeds) if step.feeds else ()
        if key is None:
            return step
        time = layout.time(step.feeds) if layout.pads else None
        return step.outputs, key, None if time is None else _padded_length(time)

    def _lead_once(self, key: Any, queue: _Queue) -> None:
        """On a caller's thread."""
        if self._lead(key, queue):
            self._leaders.submit(self._lead_on, key, queue)

    def _lead_on(self, key: Any, queue: _Queue) -> None:
        """On a thread of the joiner's: leads as long as no caller's thread is to."""
        while self._lead(key, queue):
            pass

    def _lead(self, key: Any, queue: _Queue) -> bool:
        """Runs the batch that has gathered; a caller's own step is its first. Whether the next batch is to be led by a
        thread of the joiner's, which none has begun to.

        The next batch begins when this one is written, but for a store that waits for a disk or another machine: there
        it runs meanwhile. Two at once would take the interpreter from each other, and each would gather less."""
        self._gather(queue)
        with self._lock:
            batch = [queue.waiting.popleft() for _ in range(min(len(queue.waiting), self._most_rows))]
        ran = self._in_time(batch)
        if ran:
            self._run_all(ran)
        if self._writes_at_once:
            self._end(batch, ran)
            return self._follow(key, queue)
        if self._follow(key, queue):
            self._leaders.submit(self._lead_on, key, queue)
        self._end(batch, ran)
        return False

    def _follow(self, key: Any, queue: _Queue) -> bool:
        """Who leads the next batch: a caller that waits, which is told, or else, so the answer, the joiner."""
        with self._lock:
            if not queue.waiting:
                del self._queues[key]
                return False
            following = queue.waiting[0]
            following.lead = True
        if following.woken is not None:
            following.woken.set()
        return following.wake is not None

    def _end(self, batch: Sequence[Step], ran: Sequence[Step]) -> None:
        """Writes the results, and tells the callers."""
        done = [step for step in ran if step.error is None]
        if done:
            self._write(done)
        for step in batch:
            step.done = True
        for step in batch:
            if step.wake is not None:
                step.wake()
            elif step.woken is not None:
                step.woken.set()

    def _gather(self, queue: _Queue) -> None:
        """Waits for more steps, where the batching parameters say so."""
        if self._parameters is None or not self._parameters.batch_timeout_micros:
            return
        with self._lock:
            if len(queue.waiting) >= self._most_rows:
                return
            queue.filled = filled = threading.Event()
        self._clock.wait(filled, self._parameters.batch_timeout_micros)
        with self._lock:
            queue.filled = None

    def _in_time(self, batch: list[Step]) -> list[Step]:
        """Without those that are not worth running any more."""
        if len(batch) == 1 and batch[0].woken is None and batch[0].wake is None:
            return batch  # it has not waited
        now = self._clock.micros()
        for step in batch:
            step.error = step.patience.over(now)
        return [step for step in batch if step.error is None]

    def _run_all(self, batch: list[Step]) -> None:
        try:
            self._run(batch)
        except Exception as error:
            if len(batch) > 1:  # a bad one harms only itself
                for step in batch:
                    self._run_all([step])
            elif isinstance(error, ServingError):
                batch[0].error = error
            else:
                log_unexpected(error)
                batch[0].error = InternalError(f"{type(error).__name__}: {error}")

    def _run(self, batch: Sequence[Step]) -> None:
        """One run of the graph."""
        contract, rows = self._contract, len(batch)
        padded = self._parameters.padded_size(rows) if self._parameters else rows
        joined = [*batch, *[batch[-1]] * (padded - rows)]
        layout, slots = contract.ragged, contract.signature.inputs
        data = [step.feeds for step in joined]
        extents = [layout.extent(found) for found in data] if data[0] else [Extent(1, None)] * padded
        feeds = dict(stack(layout, data, padded, longest(extents)) if padded > 1 and data[0] else data[0])
        for alias, array in contract.unpack([step.state for step in joined]).items():
            feeds[slots[alias].tensor] = array
        wanted = batch[0].outputs
        aliases = list(dict.fromkeys((*wanted, *(part.alias for part in contract.states))))
        tensors = [contract.signature.outputs[alias].tensor for alias in aliases]
        fetches = list(dict.fromkeys(tensors))
        start = time.perf_counter()
        values = self._servable.run(feeds, fetches)
        self._ran(rows, time.perf_counter() - start)
        by_tensor = dict(zip(fetches, values, strict=True))
        outputs = dict(zip(aliases, (by_tensor[tensor] for tensor in tensors), strict=True))
        for alias, array in outputs.items():
            if array.shape[:1] != (padded,):
                raise InternalError(f"Output {alias} of a step of {padded} rows has the shape {list(array.shape)}")
        try:
            states = contract.pack(outputs)
        except ValueError as error:
            raise InternalError(str(error)) from None
        if padded == 1:
            extent = self._extent(batch[0])
            if extent not in self._brief and len(self._brief) < MOST_BRIEF and self._servable.is_brief(feeds, fetches):
                self._brief.add(extent)
            batch[0].new_state, batch[0].found = states[0], {alias: outputs[alias] for alias in wanted}
            return
        shown = [contract.signature.outputs[alias].tensor for alias in wanted]
        parts = cut(layout, shown, [outputs[alias] for alias in wanted], extents)
        for step, state, part in zip(batch, states, parts, strict=False):
            step.new_state = state
            # with memory of their own: kept answers must not hold the whole batch
            step.found = {alias: array.copy() for alias, array in zip(wanted, part, strict=True)}

    def _write(self, done: Sequence[Step]) -> None:
        try:
            self._written(done)
        except ServingError as error:
            for step in done:
                step.error = error
        except Exception as error:
            log_unexpected(error)
            for step in done:
                step.error = InternalError(f"{type(error).__name__}: {error}")


def _padded_length(length: int) -> int:
    return SHORT_CHUNK if length <= SHORT_CHUNK else 1 << (length - 1).bit_length()
