"""A sequence in the hands of one call that takes many steps with it, as a stream of text does.

Its turn lasts from the first step to the last. The store learns of the steps when the call puts the sequence back: a
call that fails leaves a known sequence as it was before, and no new one."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from serving.calls.model_spec import ModelSpec
from serving.clock import Clock
from serving.errors import Code, ServingError
from serving.sequences import errors
from serving.sequences.contract import Contract
from serving.sequences.forgetting import Forgetting
from serving.sequences.metrics import END, SequenceMetrics
from serving.sequences.patience import Patience
from serving.sequences.settings import ModelSettings
from serving.sequences.store import Change, Key, Record, Store
from serving.sequences.turns import Turns
from serving.sequences.versions import Versions
from serving.servable import Servable

LARGEST_MADE_ID = 2**53 - 1  # safe as a number in JavaScript


@dataclass(eq=False)
class Held:
    """A sequence between two steps of the call that holds it."""

    key: Key
    spec: ModelSpec  # as it was asked for
    record: Record  # as the store would have it; step -1 before the first one
    turn: ExitStack
    is_new: bool  # the store does not know it, it is only counted there
    kept: Record | None = None  # of a known one, as the store has it
    counted: bool = False  # a new one, on the version of its record
    began: bool = False  # it counts as started

    def stepped(self, state: bytes) -> None:
        """A step has run, and left this state."""
        self.record = self.record._replace(step=self.record.step + 1, state=state)


class Holding:
    """Hands sequences out, and takes them back."""

    def __init__(
        self,
        store: Store,
        turns: Turns,
        versions: Versions,
        forgetting: Forgetting,
        settings: ModelSettings,
        metrics: SequenceMetrics,
        clock: Clock,
    ) -> None:
        self._store = store
        self._turns = turns
        self._versions = versions
        self._forgetting = forgetting
        self._settings = settings
        self._metrics = metrics
        self._clock = clock

    def start(self, spec: ModelSpec, servable: Servable, contract: Contract, patience: Patience) -> Held | None:
        """A new sequence on that version; None when the version was given up meanwhile.

        Raises UNAVAILABLE when there are too many."""
        self._forgetting.make_room()
        key = new_key(self._store, spec.name, patience)
        record = Record(servable.version, -1, contract.zeros(), contract.layout, None, 0)
        held = Held(key, spec, record, ExitStack(), is_new=True)
        self._count(held)
        if self._versions.takes(servable):
            return held
        self.leave(held)
        return None

    def began(self, held: Held) -> None:
        """The first step of a new one has run."""
        if held.is_new:
            held.began = True
            self._metrics.started.add(held.key.model)

    def take(self, spec: ModelSpec, key: Key, patience: Patience) -> Held:
        """The kept sequence, when its turn has come. Raises NOT_FOUND when there is none; else as a turn does."""
        with ExitStack() as turn:
            most, deadline = self._settings[key.model].max_waiting, patience.deadline_micros
            seconds = None if deadline is None else max(deadline - self._clock.micros(), 0) / 1e6
            turn.enter_context(self._turns.turn(key, most_waiting=most, seconds=seconds, gone=patience.gone))
            record = self._forgetting.read(key, patience)
            if record is None or record.ended:
                self._store.release(key)
                raise errors.not_found()
            return Held(key, spec, record, turn.pop_all(), is_new=False, kept=record)

    @contextmanager
    def loaded(self, model: str, version: int) -> Iterator[Servable | None]:
        """The version, for one step of all sequences on it; None when it is not loaded any more."""
        try:
            using = self._versions.loaded(model, version)
            servable = using.__enter__()
        except ServingError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            yield None
            return
        try:
            yield servable
        finally:
            using.__exit__(None, None, None)

    @contextmanager
    def moving(self, held: Held) -> Iterator[Servable]:
        """The version on which it goes on, which may be another one than before: then it is on that one from now on.

        Raises FAILED_PRECONDITION or NOT_FOUND when none takes it."""
        try:
            with self._versions.of_sequence(held.spec, held.key, held.record) as servable:
                moves = held.counted and held.record.version != servable.version
                if moves:
                    self._uncount(held)
                held.record = held.record._replace(version=servable.version)
                if moves:
                    self._count(held)
                yield servable
        except errors.VersionGoneError as error:
            if held.kept is not None:
                self._versions.stays_gone(held.key, held.kept, error)
            raise

    def put_back(self, held: Held) -> None:
        """The call has ended, the sequence goes on: the store learns of its steps. Raises what the store raises."""
        record = held.record._replace(answer=None, used_micros=self._clock.micros())
        try:
            (error,) = self._store.write([Change(held.key, record)])
            if error is not None:
                raise error
        finally:
            self._let_go(held)

    def end(self, held: Held) -> None:
        """The sequence has ended with the call, or its client has gone. Raises what the store raises."""
        try:
            if held.is_new:
                self._store.release(held.key)
            else:
                (error,) = self._store.write([Change(held.key, None)])
                if error is not None:
                    raise error
            self._metrics.ended.add(held.key.model, END)
        finally:
            self._let_go(held)

    def leave(self, held: Held) -> None:
        """The call has failed: the sequence is as it was before it, and a new one never was."""
        try:
            self._store.release(held.key)
            if held.is_new and held.began:
                self._metrics.ended.add(held.key.model, END)
        finally:
            self._let_go(held)

    def _count(self, held: Held) -> None:
        try:
            key, version = held.key, held.record.version
            self._store.reserve(key, version, self._settings[key.model].max_sequence_number)
        except BaseException:
            self._store.release(held.key)
            raise
        held.counted = True
        self._forgetting.hold(held.record.nbytes)

    def _uncount(self, held: Held) -> None:
        held.counted = False
        self._forgetting.hold(-held.record.nbytes)
        self._store.unreserve(held.key, held.record.version)

    def _let_go(self, held: Held) -> None:
        try:
            if held.counted:
                self._uncount(held)
        finally:
            held.turn.close()


def new_key(store: Store, model: str, patience: Patience) -> Key:
    """A random id that is not in use. A shared store leases it to this server."""
    while True:
        key = Key(model, random.randint(1, LARGEST_MADE_ID))
        if store.read(key, patience) is None:
            return key
        store.release(key)
