"""A servable that joins requests of different lengths, for signatures with an input `lengths`."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np

from serving.batching.gathering import Gathering
from serving.batching.ragged import LENGTHS, Feeds, Key, Layout, NotCutError, cut, layout, stack
from serving.clock import Clock
from serving.options import CPUS
from serving.servable import Servable, Soon, Take, Wake
from serving.signature import Signature

log = logging.getLogger(__name__)
ALONE = Layout((), None, None, frozenset(), frozenset(), joins=False, pads=False)


class _Request:
    """One call: what it feeds and fetches, and how its signature lies."""

    __slots__ = ("feeds", "fetches", "layout")

    def __init__(self, found: Layout, feeds: Feeds, fetches: Sequence[str]) -> None:
        self.layout, self.feeds, self.fetches = found, feeds, fetches

    @property
    def rows(self) -> int:
        """Of each of its arrays."""
        return int(next(iter(self.feeds.values())).shape[0])


class RaggedServable(Servable):
    """Joins what waits while a batch runs. Other signatures, and what cannot be joined, run as before."""

    def __init__(self, inner: Servable, clock: Clock, executor: Executor | None = None) -> None:
        """inner: what runs the batches; executor: where those run that no thread waits for; None: it cannot begin()."""
        self.begins = executor is not None
        self.name, self.version = inner.name, inner.version
        self.signature_defs = inner.signature_defs
        self.signatures = dict(inner.signatures)
        self._inner = inner
        self._executor = executor
        self._layouts: dict[frozenset[str], Layout] = {}  # by the tensors that are fed, with and without `lengths`
        self._gathering: Gathering[_Request, list[np.ndarray]] = Gathering(
            self._run, clock, at_once=max(CPUS // 2, 1), executor=executor
        )
        whole = {_tensors(signature) for signature in inner.signatures.values()}
        for name, signature in inner.signatures.items():
            found = layout(signature)
            if found.lengths is None:
                continue
            self._add(_tensors(signature), found)
            without = _tensors(signature) - {found.lengths}
            if without not in whole and LENGTHS not in signature.defaults:
                self.signatures[name] = replace(signature, may_omit=signature.may_omit | {LENGTHS})
                self._add(without, found)

    def _add(self, fed: frozenset[str], found: Layout) -> None:
        """Signatures over the same tensors, as TensorFlow 1 exports have them, are joined by the rules of all."""
        other = self._layouts.get(fed, found)
        self._layouts[fed] = replace(
            found,
            timed_outputs=found.timed_outputs | other.timed_outputs,
            joins=found.joins and other.joins,
            pads=found.pads and other.pads,
        )

    @property
    def unbatched(self) -> Servable:
        """What runs the batches."""
        return self._inner

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], timeout_ms: int | None = None
    ) -> list[np.ndarray]:
        """As Servable.run, with others where that is possible; `lengths` may be absent.

        Raises also INVALID_ARGUMENT when it is absent and the data do not tell their number of steps."""
        request, key = self._request(feeds, fetches)
        if key is None:
            return self._inner.run(request.feeds, fetches, timeout_ms)
        return self._gathering.call(request, key, request.rows, timeout_ms)

    def begin(
        self,
        feeds: Mapping[str, np.ndarray],
        fetches: Sequence[str],
        timeout_ms: int | None,
        wake: Wake,
        soon: Soon | None = None,
    ) -> Take:
        """As Servable.begin; the errors are those of run()."""
        if self._executor is None:
            raise NotImplementedError
        request, key = self._request(feeds, fetches)
        if key is None:
            running = self._executor.submit(self._inner.run, request.feeds, fetches, timeout_ms)
            running.add_done_callback(lambda _: wake())
            return running.result
        if soon is not None and not self._inner.is_brief(request.feeds, fetches):
            soon = None
        return self._gathering.begin(request, key, request.rows, timeout_ms, wake, soon)

    def _request(self, feeds: Feeds, fetches: Sequence[str]) -> tuple[_Request, Key | None]:
        """The call, with `lengths` where they can be absent, and which others it can be joined with."""
        found = self._layouts.get(frozenset(feeds))
        if found is None:
            return _Request(ALONE, feeds, fetches), None
        feeds = found.filled(feeds)
        key = found.key(feeds)
        if key is not None:
            self._inner.check_dtypes(feeds)  # a wrong one would harm the whole batch
            key = (key, *fetches)
        return _Request(found, feeds, fetches), key

    def _run(self, requests: Sequence[_Request], timeout_ms: int | None) -> list[list[np.ndarray]]:
        first = requests[0]
        if len(requests) == 1:
            return [self._inner.run(first.feeds, first.fetches, timeout_ms)]
        feeds = [request.feeds for request in requests]
        outputs = self._inner.run(stack(first.layout, feeds), first.fetches, timeout_ms)
        try:
            return cut(first.layout, first.fetches, outputs, [first.layout.extent(found) for found in feeds])
        except NotCutError as error:
            self._join_no_more(first.layout, error)
            raise

    def _join_no_more(self, found: Layout, error: NotCutError) -> None:
        """The signature's outputs are not what its shapes promise: from now on its calls run alone."""
        alone = replace(found, joins=False)
        self._layouts = {fed: alone if other == found else other for fed, other in self._layouts.items()}
        log.warning("%s version %d: calls are not joined any more: %s", self.name, self.version, error.message)

    def check_dtypes(self, feeds: Mapping[str, np.ndarray]) -> None:
        """As Servable.check_dtypes."""
        self._inner.check_dtypes(feeds)

    def close(self) -> None:
        """Frees the session; no call waits or runs any more."""
        self._inner.close()


def _tensors(signature: Signature) -> frozenset[str]:
    return frozenset(slot.tensor for slot in signature.inputs.values())


def has_lengths(servable: Servable) -> bool:
    """Whether one of its signatures takes sequences of different lengths."""
    return any(layout(signature).lengths is not None for signature in servable.signatures.values())
