"""Steps of different sequences of one version, joined into one run of its graph.

No thread of its own: of the calls that wait, one runs the batch for all, then the next one takes over. What has
gathered while a batch ran is the next batch."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serving.batching.parameters import Parameters
from serving.clock import Clock
from serving.errors import CancelledError, DeadlineExceededError, InternalError, ServingError
from serving.log import log_unexpected
from serving.sequences.contract import LENGTHS, Contract
from serving.sequences.store import Change
from serving.sequences.turns import LATE, Gone, never
from serving.servable import Servable

MOST_ROWS = 64  # without --enable_batching
SHORT_CHUNK = 16  # time steps; chunks up to it are padded to each other, longer ones only to the next power of two
Arrays = Mapping[str, np.ndarray]


@dataclass(eq=False)
class Step:
    """One call's share of a batch: a row."""

    state: bytes
    inputs: Arrays  # alias -> [1, ...], without the states; `lengths` where the signature has it
    outputs: tuple[str, ...]  # aliases of those that are wanted
    deadline_micros: int | None = None
    gone: Gone = never
    change: Callable[["Step"], Change] | None = None  # what a success writes into the store
    found: dict[str, np.ndarray] = field(default_factory=dict)  # output alias -> [1, ...]
    new_state: bytes = b""
    error: ServingError | None = None
    lead: bool = False  # its caller is to run the next batch
    woken: threading.Event | None = None  # for a caller that waits

    def late(self, now: int) -> ServingError | None:
        """Why it is not worth running any more."""
        if self.deadline_micros is not None and now >= self.deadline_micros:
            return DeadlineExceededError(LATE)
        return CancelledError("The client has gone while its call waited.") if self.gone() else None


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
    ) -> None:
        """written: keeps the results of a batch, before anybody is answered; ran: told the rows of each run, and its
        seconds."""
        self._servable = servable.unbatched
        self._contract = contract
        self._clock = clock
        self._written = written
        self._ran = ran
        self._parameters: Parameters | None = servable.batching
        self._most_rows = self._parameters.max_batch_size if self._parameters else MOST_ROWS
        self._lock = threading.Lock()
        self._queues: dict[Any, _Queue] = {}

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
            self._lead(key, queue)
        if step.error is not None:
            raise ServingError(step.error.message, step.error.code)

    def _key(self, step: Step) -> Any:
        """Steps with the same key can be joined."""
        length = self._common_length(step)
        if length is None:
            shapes = tuple((alias, array.shape) for alias, array in step.inputs.items())
            return step.outputs, shapes
        timed = self._contract.timed_inputs
        shapes = tuple(
            (alias, array.shape[2:] if alias in timed else array.shape) for alias, array in step.inputs.items()
        )
        return step.outputs, shapes, _padded_length(length)

    def _common_length(self, step: Step) -> int | None:
        """Time steps of a chunk that may be padded: one that fits its `lengths`. Any other runs as it came, so that
        the graph says what is wrong with it."""
        found = {step.inputs[a].shape[1] if step.inputs[a].ndim > 1 else None for a in self._contract.timed_inputs}
        length = found.pop() if len(found) == 1 else None
        return length if length is not None and 0 <= int(step.inputs[LENGTHS][0]) <= length else None

    def _lead(self, key: Any, queue: _Queue) -> None:
        """Runs the batch that has gathered; the caller's own step is its first."""
        self._gather(queue)
        with self._lock:
            batch = [queue.waiting.popleft() for _ in range(min(len(queue.waiting), self._most_rows))]
        ran = self._in_time(batch)
        if ran:
            self._run_all(ran)
        with self._lock:
            if queue.waiting:
                following = queue.waiting[0]
                following.lead = True
            else:
                following = None
                del self._queues[key]
        if following is not None and following.woken is not None:
            following.woken.set()
        done = [step for step in ran if step.error is None]
        if done:
            self._write(done)
        for step in batch[1:]:
            if step.woken is not None:
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
        if len(batch) == 1 and batch[0].woken is None:
            return batch  # it has not waited
        now = self._clock.micros()
        for step in batch:
            step.error = step.late(now)
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
        padding = [batch[-1]] * (padded - rows)
        joined = [*batch, *padding]
        inputs = _stacked(joined, contract)
        inputs.update(contract.unpack([step.state for step in joined]))
        slots, wanted = contract.signature.inputs, batch[0].outputs
        feeds = {slot.tensor: inputs[alias] for alias, slot in slots.items() if alias in inputs}
        aliases = list(dict.fromkeys((*wanted, *(part.alias for part in contract.states))))
        tensors = [contract.signature.outputs[alias].tensor for alias in aliases]
        fetches = list(dict.fromkeys(tensors))
        start = time.perf_counter()
        values = self._servable.run(feeds, fetches)
        self._ran(rows, time.perf_counter() - start)
        by_tensor = dict(zip(fetches, values, strict=True))
        outputs = dict(zip(aliases, (by_tensor[tensor] for tensor in tensors), strict=True))
        for alias, array in outputs.items():
            if not array.ndim or array.shape[0] != padded:
                raise InternalError(f"Output {alias} of a step of {padded} rows has the shape {array.shape}")
        try:
            states = contract.pack(outputs)
        except ValueError as error:
            raise InternalError(str(error)) from None
        cut = _Cut(joined, contract)
        for row, step in enumerate(batch):
            step.new_state = states[row]
            step.found = {alias: cut.row(alias, outputs[alias], row, rows == 1) for alias in wanted}

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


def _stacked(batch: Sequence[Step], contract: Contract) -> dict[str, np.ndarray]:
    """The inputs of all steps on axis 0; chunks are padded with zeros to the longest."""
    if len(batch) == 1:
        return dict(batch[0].inputs)
    stacked = {}
    for alias in batch[0].inputs:
        arrays = [step.inputs[alias] for step in batch]
        lengths = {array.shape[1:2] for array in arrays} if alias in contract.timed_inputs else {()}
        stacked[alias] = np.concatenate(arrays) if len(lengths) == 1 else _filled(arrays, max(lengths)[0])
    return stacked


def _filled(arrays: Sequence[np.ndarray], length: int) -> np.ndarray:
    filled = np.zeros((len(arrays), length, *arrays[0].shape[2:]), arrays[0].dtype)
    if arrays[0].dtype == object:
        filled.fill(b"")
    for row, array in enumerate(arrays):
        filled[row, : array.shape[1]] = array[0]
    return filled


class _Cut:
    """A row of an output, as long as its own chunk."""

    def __init__(self, batch: Sequence[Step], contract: Contract) -> None:
        self._timed = contract.timed_outputs
        timed = next(iter(contract.timed_inputs), None)
        self._lengths = (
            [0 if timed is None else sum(step.inputs[timed].shape[1:2]) for step in batch] if len(batch) > 1 else []
        )
        self._longest = max(self._lengths, default=0)

    def row(self, alias: str, array: np.ndarray, row: int, alone: bool) -> np.ndarray:
        """[1, ...], with memory of its own: kept answers must not hold the whole batch."""
        if alone and array.shape[0] == 1:
            return array
        found = array[row : row + 1]
        length = self._lengths[row]
        if length != self._longest and alias in self._timed and found.ndim > 1 and found.shape[1] == self._longest:
            found = found[:, :length]
        return found.copy()


def lengths_input(contract: Contract, inputs: Arrays) -> dict[str, np.ndarray]:
    """`lengths` for a chunk that came without: its own length, [1]. Empty where the signature has none, or it came."""
    if contract.lengths is None or LENGTHS in inputs:
        return {}
    length = next((inputs[a].shape[1] for a in inputs if a in contract.timed_inputs and inputs[a].ndim > 1), None)
    return {} if length is None else {LENGTHS: np.array([length], contract.lengths)}
