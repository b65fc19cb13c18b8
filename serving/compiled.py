"""A servable that compiles the shapes it is often asked for, aside, while the calls run on the plain path.

Where a signature has `lengths`, calls are padded to few shapes: rows to a power of two, time steps to one of four
sizes between two powers of two. Other signatures are compiled for the very shapes of their calls. A form is taken into
use only when it gave the plain path's numbers, to rounding, and was faster."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.batching.gathering import MOST_ROWS
from serving.batching.ragged import Extent, Layout, cut, layout, stack
from serving.compiling import give_memory_back
from serving.errors import ServingError
from serving.servable import Servable
from serving.signature import Signature, Slot
from serving.value_safety import Bound, findings

log = logging.getLogger(__name__)
CALLS_BEFORE = 3  # of one shape, until it is compiled
CALLS_AGAIN = 1000  # after so many more it is looked at again: other work may have disturbed the comparison
MOST_SHAPES = 32  # of one version; the least used go
MOST_COMPILED = 128  # in the life of a version: the runtime keeps what it has compiled until the version goes
WORTH_SECONDS = 1e-4  # a plain run that takes no longer is mostly the call itself
RUNS = 5  # of each path, to compare them
GAIN = 0.8  # a form that takes more than this share of the plain path's time is not worth its memory
TOLERANCE = 1e-4  # relative to the largest number of an output
Key = tuple[Any, ...]
Feeds = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Form:
    """A compiled form, and how a call gets into it."""

    inner: Servable
    compiled: tuple[str, ...]  # the tensors that are fetched in the place of `fetches`
    bounds: tuple[Bound, ...]
    fetches: tuple[str, ...]
    layout: Layout | None
    size: tuple[int, int] | None  # rows and time steps; None: the call's own

    def run(self, feeds: Feeds) -> list[np.ndarray]:
        """The outputs of a call."""
        if self.size is None or self.layout is None:
            return self.inner.run(feeds, self.compiled)
        padded = stack(self.layout, [feeds], *self.size)
        outputs = self.inner.run(padded, self.compiled)
        extent = self.layout.extent(feeds)
        if self.size == (extent.rows, extent.time):
            return outputs
        added = Extent(self.size[0] - extent.rows, self.size[1])
        return cut(self.layout, self.fetches, outputs, [extent, added])[0]


class CompiledServable(Servable):
    """Runs calls of a shape by its compiled form as soon as there is one."""

    def __init__(self, inner: Servable, executor: Executor) -> None:
        """inner: the plain path; executor: where forms are made, one after the other."""
        self.name, self.version = inner.name, inner.version
        self.signature_defs, self.signatures = inner.signature_defs, inner.signatures
        self._inner = inner
        self._executor = executor
        self._calls: OrderedDict[Key, int] = OrderedDict()
        self._forms: dict[Key, Form] = {}
        self._lock = threading.Lock()
        self._making = threading.Lock()  # held while a form is made; close() waits for it
        self._closed = False
        self._compiled: dict[Key, tuple[str, ...]] = {}  # by what is fed and fetched
        self._made: set[Key] = set()
        self._bounds: dict[str, tuple[Bound, ...] | None] = {}  # by signature; None: it is not compiled
        self._layouts: dict[frozenset[str], Layout] = {}
        for signature in inner.signatures.values():
            found = layout(signature)
            if found.lengths is not None and found.joins:
                self._layouts[frozenset(found.inputs)] = found

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_ms: int | None = None) -> list[np.ndarray]:
        """As Servable.run. A compiled run cannot be ended by its time limit; how long it takes hangs on shapes
        alone, and the plain runs of its shape were within theirs."""
        found = self._layouts.get(frozenset(feeds))
        padded = _padded(found, feeds) if found is not None else None
        shapes = padded or tuple((tensor, array.shape, array.dtype.char) for tensor, array in feeds.items())
        key = (shapes, *fetches)
        form = self._forms.get(key)
        if form is not None and (timeout_ms is None or timeout_ms > 0) and self._within_bounds(form, feeds):
            with self._lock:
                if key in self._calls:
                    self._calls.move_to_end(key)
            try:
                return form.run(feeds)
            except ServingError as error:
                log.warning("A compiled form of %s failed, the plain path goes on: %s", self.name, error.message)
                self._forms.pop(key, None)
        outputs = self._inner.run(feeds, fetches, timeout_ms)
        if form is None:
            self._count(key, feeds, fetches)
        return outputs

    def _within_bounds(self, form: "Form", feeds: Feeds) -> bool:
        """What is out of bounds gets its error on the plain path."""
        return all(
            not feeds[bound.tensor].size or (feeds[bound.tensor].min() >= 0 and feeds[bound.tensor].max() < bound.below)
            for bound in form.bounds
        )

    def check_dtypes(self, feeds: Feeds) -> None:
        """As Servable.check_dtypes."""
        self._inner.check_dtypes(feeds)

    def _count(self, key: Key, feeds: Feeds, fetches: Sequence[str]) -> None:
        """Counts the calls of a shape, and has its form made when they are enough."""
        with self._lock:
            self._calls[key] = calls = self._calls.get(key, 0) + 1
            self._calls.move_to_end(key)
            while len(self._calls) > MOST_SHAPES:
                self._forms.pop(self._calls.popitem(last=False)[0], None)
        if calls == CALLS_BEFORE or not calls % CALLS_AGAIN:
            self._executor.submit(self._make, key, dict(feeds), list(fetches))

    def _make(self, key: Key, feeds: Feeds, fetches: Sequence[str]) -> None:
        with self._making:
            if self._closed or (key not in self._made and len(self._made) >= MOST_COMPILED):
                return
            self._made.add(key)
            try:
                form = self._form(feeds, fetches)
            except Exception as error:
                log.info("%s version %d: a signature is not compiled: %s", self.name, self.version, _line(error))
                return
            if form is not None:
                self._forms[key] = form
            give_memory_back()

    def _form(self, feeds: Feeds, fetches: Sequence[str]) -> "Form | None":
        """The form, if the signature may be compiled and it is worth it."""
        signature = self._signature(feeds, fetches)
        if signature is None:
            return None
        if signature.name not in self._bounds:
            self._bounds[signature.name] = self._look_at(signature)
        bounds = self._bounds[signature.name]
        if bounds is None:
            return None
        plain = _seconds(lambda: self._inner.run(feeds, fetches))
        if plain < WORTH_SECONDS:
            return None
        found = self._layouts.get(frozenset(feeds))
        padding = _padded(found, feeds) if found is not None else None
        size = (padding[0], padding[1]) if padding is not None else None
        form = Form(self._inner, self._compiled_fetches(feeds, fetches), bounds, tuple(fetches), found, size)
        expected = self._inner.run(feeds, fetches)
        if not all(map(_same, form.run(feeds), expected)):
            log.warning("Signature %s of %s gives other numbers when compiled: it is not", signature.name, self.name)
            return None
        fast = _seconds(lambda: form.run(feeds))
        if fast >= GAIN * plain:
            log.debug("Signature %s of %s takes %.6f s, compiled %.6f s", signature.name, self.name, plain, fast)
            return None
        return form

    def _compiled_fetches(self, feeds: Feeds, fetches: Sequence[str]) -> tuple[str, ...]:
        """The tensors that are fetched in the place of these."""
        key = (frozenset(feeds), *fetches)
        if key not in self._compiled:
            self._compiled[key] = tuple(self._inner.compiled(list(feeds), fetches))
        return self._compiled[key]

    def _look_at(self, signature: Signature) -> tuple[Bound, ...] | None:
        """The bounds of a signature that may be compiled; None, and a line in the log, for one that may not."""
        found = findings(self._inner.graph_def(), _tensors(signature.inputs), _tensors(signature.outputs))
        if found.reasons:
            reasons = "; ".join(sorted(found.reasons))
            log.info("Signature %s of %s is not compiled: %s", signature.name, self.name, reasons)
            return None
        return tuple(found.bounds)

    def _signature(self, feeds: Feeds, fetches: Sequence[str]) -> Signature | None:
        """The signature with exactly these inputs, and at least these outputs."""
        for signature in self.signatures.values():
            inputs = {slot.tensor for slot in signature.inputs.values()}
            if inputs == set(feeds) and {slot.tensor for slot in signature.outputs.values()} >= set(fetches):
                return signature
        return None

    def close(self) -> None:
        """Frees the session and the forms; no call runs any more."""
        with self._making:
            self._closed = True
            self._forms.clear()
            self._inner.close()


def _padded(found: Layout, feeds: Feeds) -> Key | None:
    """Rows and time steps that the call is padded to, and what else its shapes are; None for one that is not."""
    key = found.key(feeds)
    extent = found.extent(feeds) if key is not None else None
    if extent is None or extent.time is None or extent.rows > MOST_ROWS:
        return None
    return 1 << (extent.rows - 1).bit_length(), _steps(extent.time) if found.pads else extent.time, key


def _steps(time: int) -> int:
    """The next of 1 to 8, 10, 12, 14, 16, 20, 24, 28, 32, 40 ...: at most a quarter more."""
    quarter = 1 << max((time - 1).bit_length() - 3, 0)
    return -(-time // quarter) * quarter


def _tensors(slots: Mapping[str, Slot]) -> list[str]:
    return [slot.tensor for slot in slots.values()]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind not in "fc":
        return np.array_equal(one, other)
    largest = float(np.max(np.abs(other), initial=0.0, where=np.isfinite(other)))
    return np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE * largest, equal_nan=True)


def _seconds(call: Callable[[], Any]) -> float:
    """The shortest of a few runs."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
