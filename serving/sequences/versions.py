"""On which version a sequence goes on, and how long a version stays that was given up."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from serving.calls.model_spec import ModelSpec
from serving.clock import Clock
from serving.errors import Code, ServingError
from serving.labels import Labels
from serving.manager import Manager
from serving.sequences import errors
from serving.sequences.contract import Contract, contract_of, why_not_carried
from serving.sequences.settings import CARRY, DRAIN, FAIL, ModelSettings
from serving.sequences.store import Key, Record, Store
from serving.servable import Servable


class _Gone(NamedTuple):
    """Why a sequence cannot go on, and where it was: another server of a shared store may have taken it further."""

    version: int
    step: int
    reason: str


class Versions:
    """Finds the versions of sequences."""

    def __init__(self, manager: Manager, labels: Labels, store: Store, settings: ModelSettings, clock: Clock) -> None:
        self._manager = manager
        self._labels = labels
        self._store = store
        self._settings = settings
        self._clock = clock
        self._gone: dict[Key, _Gone] = {}  # sequences that cannot go on

    def holds(self, model: str, version: int, since_micros: int) -> bool:
        """Whether a version that was given up at that moment stays for its sequences."""
        settings = self._settings[model]
        if settings.on_version_change != DRAIN:
            return False
        if self._clock.micros() - since_micros >= settings.drain_seconds * 1_000_000:
            return False
        try:
            return self._store.live(model, version) > 0
        except ServingError:
            return True  # the store does not answer just now

    @contextmanager
    def of_start(self, spec: ModelSpec) -> Iterator[Servable]:
        """The version on which a new sequence starts; one that is given up takes none."""
        with self._manager.use(spec.name, spec.resolved_version(self._labels), starting=True) as servable:
            yield servable

    def loaded(self, model: str, version: int) -> AbstractContextManager[Servable]:
        """That version; raises NOT_FOUND when it is not loaded."""
        return self._manager.use(model, version)

    def takes(self, servable: Servable) -> bool:
        """Whether the version still takes new sequences."""
        return self._manager.takes_sequences(servable.name, servable.version)

    @contextmanager
    def of_sequence(self, spec: ModelSpec, key: Key, record: Record) -> Iterator[Servable]:
        """The version on which the sequence goes on.

        Raises FAILED_PRECONDITION when that is not the one asked for, or when no version takes it on; NOT_FOUND when
        there is no version at all."""
        asked = spec.resolved_version(self._labels)
        if self._why_gone(key, record) is None:
            with self._kept(key, record, asked) as servable:
                if servable is not None:
                    yield servable
                    return
        with self._carried(key, record, asked) as servable:
            yield servable

    @contextmanager
    def _kept(self, key: Key, record: Record, asked: int | None) -> Iterator[Servable | None]:
        """The version that the sequence is on; None when it is not loaded."""
        try:
            using = self._manager.use(key.model, record.version)
            servable = using.__enter__()
        except ServingError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            yield None
            return
        try:
            if asked is not None and asked != record.version:
                raise errors.other_version(key.id, record.version, key.model, asked)
            yield servable
        finally:
            using.__exit__(None, None, None)

    @contextmanager
    def _carried(self, key: Key, record: Record, asked: int | None) -> Iterator[Servable]:
        """The version that the call resolves to, if it can take the state."""
        if self._manager.available(key.model):
            reason = self._why_gone(key, record) or self._why_never_carried(key.model)
            if reason is not None:
                raise self._lost(key, record, reason)
        with self._manager.use(key.model, asked, starting=True) as servable:
            reason = why_not_on(servable, record)
            if reason is not None:
                raise self._lost(key, record, reason)
            yield servable

    def _why_never_carried(self, model: str) -> str | None:
        settings = self._settings[model]
        if settings.on_version_change == CARRY:
            return None
        if settings.on_version_change == FAIL:
            return f"on_version_change is {FAIL}"
        return f"its drain time of {settings.drain_seconds} s has passed"

    def _lost(self, key: Key, record: Record, reason: str) -> ServingError:
        """The error; the sequence stays in that condition."""
        self._gone[key] = _Gone(record.version, record.step, reason)
        return errors.version_gone(key.id, record.version, key.model, reason)

    def _why_gone(self, key: Key, record: Record) -> str | None:
        """Why an earlier call has found that it cannot go on."""
        found = self._gone.get(key)
        return found.reason if found is not None and found[:2] == (record.version, record.step) else None

    def is_gone(self, spec: ModelSpec, key: Key, record: Record) -> bool:
        """Whether the sequence cannot go on, so that a new one may start in its place."""
        try:
            with self.of_sequence(spec, key, record):
                return False
        except ServingError:
            return key in self._gone

    def gone(self, key: Key) -> bool:
        """Whether a call has found that it cannot go on."""
        return key in self._gone

    def forget(self, key: Key) -> None:
        """The sequence is no more."""
        self._gone.pop(key, None)


def why_not_on(servable: Servable, record: Record) -> str | None:
    """Why the sequence cannot go on there; None when it can."""
    found = contract_of(servable)
    if not isinstance(found, Contract):
        return f"version {servable.version} has no step signature"
    return why_not_carried(record.layout, found.layout, servable.version)
