"""A servable that compiles the shapes it is often asked for, aside, while the calls run on the plain path.

A form is taken into use only when it gave the plain path's numbers, to rounding, and was faster."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
import tensorflow as tf

from serving.compiling import CompiledForm, why_not
from serving.servable import Servable
from serving.signature import Signature

log = logging.getLogger(__name__)
CALLS_BEFORE = 3  # of one shape, until it is compiled
MOST_SHAPES = 32  # of one version; the least used go
RUNS = 5  # of each path, to compare them
GAIN = 0.8  # a form that takes more than this share of the plain path's time is not worth its memory
TOLERANCE = 1e-4  # relative to the largest number of an output
Key = tuple[Any, ...]
Feeds = Mapping[str, np.ndarray]


class CompiledServable(Servable):
    """Runs calls of a shape by its compiled form as soon as there is one."""

    def __init__(self, inner: Servable, folder: str, executor: Executor) -> None:
        """inner: the plain path; folder: of the version; executor: where forms are made, one after the other."""
        self.name, self.version = inner.name, inner.version
        self.signature_defs, self.signatures = inner.signature_defs, inner.signatures
        self._inner = inner
        self._folder = folder
        self._executor = executor
        self._calls: OrderedDict[Key, int] = OrderedDict()
        self._forms: dict[Key, CompiledForm] = {}
        self._lock = threading.Lock()
        self._making = threading.Lock()  # held while a form is made; close() waits for it
        self._closed = False
        self._eager: Any = None  # the version once more, as functions; its variables live as long as it does
        self._not_compiled: set[str] = set()

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_ms: int | None = None) -> list[np.ndarray]:
        """As Servable.run. A compiled run cannot be ended by its time limit; the plain runs of its shape were fast."""
        key = (*((tensor, array.shape, array.dtype.char) for tensor, array in feeds.items()), *fetches)
        form = self._forms.get(key)
        if form is not None and (timeout_ms is None or timeout_ms > 0):
            try:
                return form(list(feeds.values()))
            except tf.errors.OpError as error:
                log.warning("A compiled form of %s failed, the plain path goes on: %s", self.name, error.message)
                self._forms.pop(key, None)
        outputs = self._inner.run(feeds, fetches, timeout_ms)
        self._count(key, feeds, fetches)
        return outputs

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
        if calls == CALLS_BEFORE:
            self._executor.submit(self._make, key, dict(feeds), list(fetches))

    def _make(self, key: Key, feeds: Feeds, fetches: Sequence[str]) -> None:
        with self._making:
            if self._closed:
                return
            try:
                form = self._form(feeds, fetches)
            except Exception as error:
                log.info("%s version %d: a signature is not compiled: %s", self.name, self.version, _line(error))
                return
            if form is not None:
                self._forms[key] = form

    def _form(self, feeds: Feeds, fetches: Sequence[str]) -> CompiledForm | None:
        """The form, if the signature may be compiled and it is worth it."""
        signature = self._signature(feeds, fetches)
        if signature is None or signature.name in self._not_compiled:
            return None
        if self._eager is None:
            self._eager = tf.saved_model.load(self._folder)
        function = self._eager.signatures[signature.name]
        reasons = why_not(function)
        if reasons:
            self._not_compiled.add(signature.name)
            log.info("Signature %s of %s is not compiled: %s", signature.name, self.name, "; ".join(reasons))
            return None
        arrays = list(feeds.values())
        aliases = {slot.tensor: alias for alias, slot in signature.inputs.items()}
        outputs = {slot.tensor: alias for alias, slot in signature.outputs.items()}
        form = CompiledForm(
            function, {aliases[tensor]: array for tensor, array in feeds.items()}, [outputs[f] for f in fetches]
        )
        expected = self._inner.run(feeds, fetches)
        if not all(map(_same, form(arrays), expected)):
            log.warning("Signature %s of %s gives other numbers when compiled: it is not", signature.name, self.name)
            return None
        plain, compiled = _seconds(lambda: self._inner.run(feeds, fetches)), _seconds(lambda: form(arrays))
        return form if compiled < GAIN * plain else None

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
            self._eager = None
            self._inner.close()


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
