"""A servable that compiles the shapes it is often asked for, aside, while the calls run on the plain path.

Where a signature has `lengths`, calls are padded to few shapes: rows to a power of two, time steps to one of four
sizes between two powers of two. Other signatures are compiled for the very shapes of their calls, or, where those of
their recurrences hang on values, for the shapes that show as they run (`guarded.py`). A form is taken into use only
when it gave the plain path's numbers, to rounding, and was faster."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from serving.batching.gathering import MOST_ROWS
from serving.batching.ragged import Extent, Layout, cut, layout, stack
from serving.compiling.guarded import CALLS_AGAIN, CALLS_BEFORE, MOST_SHAPES, Guarded, Row
from serving.compiling.memory import give_memory_back
from serving.compiling.rewriting import NotCompiledError, Rewritten
from serving.errors import DeadlineExceededError, ServingError
from serving.servable import Servable
from serving.signature import Signature

log = logging.getLogger(__name__)
MOST_COMPILED = 128  # in the life of a version: the runtime keeps what it has compiled until the version goes
MOST_REWRITTEN = 32  # in the life of a version: each lies in its graph, and callers may ask for any outputs
WORTH_SECONDS = 1e-4  # a plain run that takes no longer is mostly the call itself
TOO_SHORT = f"a run takes less than {WORTH_SECONDS * 1e6:.0f} us, which is mostly the call itself"
RUNS = 5  # of each path, to compare them
ENOUGH_SECONDS = 1.0  # for the runs of one path
TRIAL_MS = 10_000  # a plain run that takes longer, since its values ask for it, is not tried again
BRIEF_SECONDS = 5e-4  # an event loop may wait so long
GAIN = 0.8  # a form that takes more than this share of the plain path's time is not worth its memory
TRIALS = 8  # rows of shapes without a gain, until a signature whose shapes hang on values stays plain
TOLERANCE = 1e-4  # relative to the largest number of an output
Key = tuple[Any, ...]
Feeds = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Form:
    """A compiled form, and how a call gets into it."""

    inner: Servable
    rewritten: Rewritten
    fetches: tuple[str, ...]
    layout: Layout | None
    size: tuple[int, int] | None  # rows and time steps; None: the call's own
    is_brief: bool = False

    def run(self, feeds: Feeds, timeout_ms: int | None = None) -> list[np.ndarray]:
        """The outputs of a call. What is compiled cannot be ended by a time limit; how long it takes hangs on shapes
        alone, and the plain runs of its shapes were within theirs."""
        limit = timeout_ms if self.rewritten.loops else None
        if self.size is None or self.layout is None:
            return self.inner.run(feeds, self.rewritten.fetches, limit)
        padded = stack(self.layout, [feeds], *self.size)
        outputs = self.inner.run(padded, self.rewritten.fetches, limit)
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
        self._calls: OrderedDict[Key, tuple[int, float]] = OrderedDict()  # how many, and the seconds of the shortest
        self._forms: dict[Key, Form] = {}
        self._lock = threading.Lock()
        self._making = threading.Lock()  # held while a form is made; close() waits for it
        self._closed = False
        self._made: set[Key] = set()
        self._rewritten: dict[Key, Rewritten | None] = {}  # by what is fed and fetched; None: it is not compiled
        self._guarded: dict[Key, Guarded] = {}  # by what is fed and fetched
        self._trials: dict[Key, int] = {}
        self._said: set[str] = set()  # signatures of which the log has said why they are not compiled
        self._layouts: dict[frozenset[str], Layout] = {}
        for signature in inner.signatures.values():
            found = layout(signature)
            if found.lengths is not None and found.joins:
                self._layouts[frozenset(found.inputs)] = found

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_ms: int | None = None) -> list[np.ndarray]:
        """As Servable.run."""
        if timeout_ms is not None and timeout_ms <= 0:
            return self._inner.run(feeds, fetches, timeout_ms)
        guarded = self._guarded.get((frozenset(feeds), *fetches))
        if guarded is not None:
            return self._run_guarded(guarded, feeds, fetches, timeout_ms)
        key = self._key(feeds, fetches)
        form = self._forms.get(key)
        if form is None:
            start = time.perf_counter()
            outputs = self._inner.run(feeds, fetches, timeout_ms)
            self._count(key, feeds, fetches, time.perf_counter() - start)
            return outputs
        with self._lock:
            if key in self._calls:
                self._calls.move_to_end(key)
        try:
            return form.run(feeds, timeout_ms)
        except DeadlineExceededError:
            raise
        except ServingError as error:
            outputs = self._inner.run(feeds, fetches, timeout_ms)  # where the call is wrong, this says so
            self._drop(error)
            self._forms.pop(key, None)
            return outputs

    def _run_guarded(
        self, guarded: Guarded, feeds: Feeds, fetches: Sequence[str], timeout_ms: int | None
    ) -> list[np.ndarray]:
        try:
            outputs, due = guarded.run(feeds, timeout_ms)
        except DeadlineExceededError:
            raise
        except ServingError as error:
            outputs = self._inner.run(feeds, fetches, timeout_ms)  # where the call is wrong, this says so
            self._drop(error)
            self._guarded.pop((frozenset(feeds), *fetches), None)
            return outputs
        for row in due:
            self._executor.submit(self._learn, guarded, row, dict(feeds), list(fetches))
        return outputs

    def _drop(self, error: ServingError) -> None:
        log.warning("A compiled form of %s failed, the plain path goes on: %s", self.name, error.message)

    def is_brief(self, feeds: Feeds, fetches: Sequence[str]) -> bool:
        """As Servable.is_brief: of what is compiled, as it was when that was tried."""
        form = self._forms.get(self._key(feeds, fetches))
        return form is not None and form.is_brief

    def _key(self, feeds: Feeds, fetches: Sequence[str]) -> Key:
        found = self._layouts.get(frozenset(feeds))
        padded = _padded(found, feeds) if found is not None else None
        shapes = padded or tuple((tensor, array.shape, array.dtype.char) for tensor, array in feeds.items())
        return (shapes, *fetches)

    def check_dtypes(self, feeds: Feeds) -> None:
        """As Servable.check_dtypes."""
        self._inner.check_dtypes(feeds)

    def _count(self, key: Key, feeds: Feeds, fetches: Sequence[str], seconds: float) -> None:
        """Counts the calls of a shape, and has its form made when they are enough."""
        with self._lock:
            calls, least = self._calls.get(key, (0, seconds))
            self._calls[key] = calls, least = calls + 1, min(least, seconds)
            self._calls.move_to_end(key)
            while len(self._calls) > MOST_SHAPES:
                self._forms.pop(self._calls.popitem(last=False)[0], None)
        if calls != CALLS_BEFORE and calls % CALLS_AGAIN:
            return
        if least < WORTH_SECONDS:
            self._say(feeds, fetches, TOO_SHORT)
        else:
            self._executor.submit(self._make, key, dict(feeds), list(fetches))

    def _make(self, key: Key, feeds: Feeds, fetches: Sequence[str]) -> None:
        with self._making:
            if self._closed or not self._may_make(key):
                return
            try:
                form = self._form(feeds, fetches)
            except Exception as error:
                log.info("%s version %d: a signature is not compiled: %s", self.name, self.version, _line(error))
                return
            if form is not None:
                self._forms[key] = form
            give_memory_back()

    def _may_make(self, key: Key) -> bool:
        if len(self._made) < MOST_COMPILED:
            self._made.add(key)
        return key in self._made

    def _form(self, feeds: Feeds, fetches: Sequence[str]) -> "Form | None":
        """The form, if the signature may be compiled and it is worth it. One whose shapes hang on values is not made:
        from then on its calls show them."""
        rewritten = self._rewriting(feeds, fetches)  # before it is run: of what changes a state there is none
        if rewritten is None:
            return None
        if _seconds(lambda: self._inner.run(feeds, fetches, TRIAL_MS)) < WORTH_SECONDS:
            self._say(feeds, fetches, TOO_SHORT)
            return None
        if rewritten.guards:
            self._guarded[frozenset(feeds), *fetches] = Guarded(self._inner, rewritten)
            return None
        found = self._layouts.get(frozenset(feeds))
        padding = _padded(found, feeds) if found is not None else None
        size = (padding[0], padding[1]) if padding is not None else None
        form = Form(self._inner, rewritten, tuple(fetches), found, size)
        seconds = self._gain(lambda: form.run(feeds), lambda: self._inner.run(feeds, fetches, TRIAL_MS))
        if seconds is None:
            return None
        return replace(form, is_brief=seconds < BRIEF_SECONDS and not rewritten.loops)

    def _learn(self, guarded: Guarded, row: Row, feeds: Feeds, fetches: Sequence[str]) -> None:
        """Compiles for these shapes, and keeps to them where that is worth it."""
        key = (frozenset(feeds), *fetches)
        with self._making:
            if self._closed or not self._may_make((*key, row)):
                return
            try:
                if self._gain(lambda: guarded.trial(feeds, row), lambda: guarded.trial(feeds, None, TRIAL_MS)):
                    guarded.know(row)
            except Exception as error:
                log.info("%s version %d: shapes are not compiled: %s", self.name, self.version, _line(error))
            self._trials[key] = self._trials.get(key, 0) + 1
            if not guarded.knows and self._trials[key] >= TRIALS:
                self._guarded.pop(key, None)
                self._rewritten[key] = None
            give_memory_back()

    def _gain(self, compiled: Callable[[], list[np.ndarray]], plain: Callable[[], list[np.ndarray]]) -> float | None:
        """The seconds of a compiled run, if it gives the same numbers, and faster."""
        expected = plain()
        if not all(map(_same, compiled(), expected)):
            log.warning("A signature of %s gives other numbers when compiled: it is not", self.name)
            return None
        fast, slow = _seconds(compiled), _seconds(plain)
        if fast >= GAIN * slow:
            log.debug("A signature of %s takes %.6f s, compiled %.6f s", self.name, slow, fast)
        return fast if fast < GAIN * slow else None

    def _rewriting(self, feeds: Feeds, fetches: Sequence[str]) -> Rewritten | None:
        """The compiled form in the graph; None, and a line in the log, where there is none."""
        key = (frozenset(feeds), *fetches)
        if key not in self._rewritten and len(self._rewritten) < MOST_REWRITTEN:
            self._rewritten[key] = None
            try:
                self._rewritten[key] = self._inner.compiled(list(feeds), fetches)
            except NotCompiledError as error:
                self._say(feeds, fetches, str(error))
        return self._rewritten.get(key)

    def _say(self, feeds: Feeds, fetches: Sequence[str], reason: str) -> None:
        """Once for a signature: why a call of it is not compiled."""
        signature = self._signature(feeds, fetches)
        if signature is not None and signature.name not in self._said:
            self._said.add(signature.name)
            log.info("Signature %s of %s is not compiled: %s", signature.name, self.name, reason)

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
            self._guarded.clear()
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


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind not in "fc":
        return np.array_equal(one, other)
    largest = float(np.max(np.abs(other), initial=0.0, where=np.isfinite(other)))
    return np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE * largest, equal_nan=True)


def _seconds(call: Callable[[], Any]) -> float:
    """The shortest of a few runs."""
    times: list[float] = []
    while len(times) < RUNS and sum(times) < ENOUGH_SECONDS:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
