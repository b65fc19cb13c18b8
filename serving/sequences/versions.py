"""On which version a sequence goes on, and how long a version stays that was given up."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from serving.calls.model_spec import ModelSpec
from serving.clock import Clock
from serving.errors import Code, ServingError
from serving.harness import Harness
from serving.labels import Labels
from serving.manager import Manager
from serving.sequences import errors
from serving.sequences.contract import Contract, contract_of, why_not_carried
from serving.sequences.errors import VersionGoneError
from serving.sequences.settings import CARRY, DRAIN, FAIL, ModelSettings
from serving.sequences.store import Change, Key, Record, Store
from serving.servable import Servable

log = logging.getLogger(__name__)
NEVER_SERVED = "this server has not had it since its start"


class Versions:
    """Finds the versions of sequences."""

    def __init__(self, manager: Manager, labels: Labels, store: Store, settings: ModelSettings, clock: Clock) -> None:
        self._manager = manager
        self._labels = labels
        self._store = store
        self._settings = settings
        self._clock = clock

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

    def needed(self, model: str, versions: Mapping[int, str]) -> Mapping[int, str]:
        """Of versions (number -> folder) that are not wanted when the server starts, those that stay for the sequences
        of servers before it."""
        settings = self._settings[model]
        if settings.on_version_change != DRAIN or not settings.drain_seconds:
            return {}
        try:
            return {version: folder for version, folder in versions.items() if self._store.live(model, version)}
        except ServingError as error:
            log.warning("Versions of %s that sequences may need are not looked for: %s", model, error.message)
            return {}

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
        held = self.hold(spec, key, record)
        try:
            yield held.loaded
        finally:
            held.leave()

    def hold(self, spec: ModelSpec, key: Key, record: Record) -> Harness:
        """As of_sequence(), without a block: it stays loaded until it is left."""
        asked = spec.resolved_version(self._labels)
        kept = None if record.gone else self._kept(key, record)
        if kept is None:
            return self._carried(key, record, asked)
        if asked is not None and asked != record.version:
            kept.leave()
            raise errors.other_version(key.id, record.version, key.model, asked)
        return kept

    def _kept(self, key: Key, record: Record) -> Harness | None:
        """The version that the sequence is on, held; None when it is not loaded."""
        try:
            return self._manager.hold(key.model, record.version)
        except ServingError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return None

    def _carried(self, key: Key, record: Record, asked: int | None) -> Harness:
        """The version that the call resolves to, held, if it can take the state."""
        if self._manager.available(key.model):
            reason = record.gone or self._why_never_carried(key.model, record.version)
            if reason is not None:
                raise errors.version_gone(key.id, record.version, key.model, reason)
        held = self._manager.hold(key.model, asked, starting=True)
        reason = why_not_on(held.loaded, record)
        if reason is not None:
            held.leave()
            raise errors.version_gone(key.id, record.version, key.model, reason)
        return held

    def _why_never_carried(self, model: str, version: int) -> str | None:
        settings = self._settings[model]
        if settings.on_version_change == CARRY:
            return None
        if settings.on_version_change == FAIL:
            return f"on_version_change is {FAIL}"
        if not self._manager.served(model, version):
            return NEVER_SERVED
        return f"its drain time of {settings.drain_seconds} s has passed"

    def is_gone(self, spec: ModelSpec, key: Key, record: Record) -> bool:
        """Whether the sequence cannot go on, so that a new one may start in its place."""
        try:
            with self.of_sequence(spec, key, record):
                return False
        except VersionGoneError:
            return True
        except ServingError:
            return bool(record.gone)

    def stays_gone(self, key: Key, record: Record, error: VersionGoneError) -> None:
        """By the call whose turn it is: keeps that the sequence cannot go on, whatever versions come.

        Not where servers share it, and another one may have its version: one that is late, or drains it longer."""
        shared = not self._store.reads_at_once
        drains = self._settings[key.model].on_version_change == DRAIN
        if record.gone or (shared and (drains or not self._manager.served(key.model, record.version))):
            return
        self._store.write([Change(key, record._replace(gone=error.reason), goes_on=True)])  # else the next call tries


def why_not_on(servable: Servable, record: Record) -> str | None:
    """Why the sequence cannot go on there; None when it can."""
    found = contract_of(servable)
    if not isinstance(found, Contract):
        return f"version {servable.version} has no step signature"
    return why_not_carried(record.layout, found.layout, servable.version)
