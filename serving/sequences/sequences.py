"""The sequences of a server: which call starts, goes on, repeats and ends one."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np

from serving.clock import Clock
from serving.errors import NotFoundError, ServingError
from serving.harness import Harness
from serving.labels import Labels
from serving.manager import Manager
from serving.sequences import errors, special_inputs
from serving.sequences.call import Call, is_ordinary, step_of
from serving.sequences.contract import Contract, contract_of
from serving.sequences.forgetting import Forgetting
from serving.sequences.holding import Holding, new_key
from serving.sequences.joining import Joiner, Step
from serving.sequences.metrics import END as ENDED
from serving.sequences.metrics import IDLE, VERSION, SequenceMetrics
from serving.sequences.settings import ModelSettings
from serving.sequences.special_inputs import END, GO_ON, START, SpecialInputs
from serving.sequences.store import Answer, Change, Key, Record, Store
from serving.sequences.turns import Place, Turns
from serving.sequences.versions import Versions
from serving.servable import Servable, Soon
from serving.server_metrics import ServerMetrics

TRIES_TO_START = 3  # each but the first because the version was given up meanwhile


class Sequences:
    """Answers the calls of sequences; owns their store."""

    def __init__(
        self,
        manager: Manager,
        labels: Labels,
        store: Store,
        settings: ModelSettings,
        metrics: ServerMetrics,
        clock: Clock,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._server_metrics = metrics
        self._metrics = SequenceMetrics(metrics, store)
        store.expired = lambda key: self._metrics.ended.add(key.model, IDLE)
        self._turns = Turns()
        self.versions = Versions(manager, labels, store, settings, clock)
        self._forgetting = Forgetting(store, self._turns, settings, self._metrics, clock)
        self.holding = Holding(store, self._turns, self.versions, self._forgetting, settings, self._metrics, clock)
        self._joiners: WeakKeyDictionary[Servable, Joiner] = WeakKeyDictionary()

    def start(self) -> None:
        """Opens the store, and begins to look for idle sequences."""
        self._store.start()
        self._forgetting.start()

    def stop(self) -> None:
        """Ends; no call runs any more."""
        self._forgetting.stop()
        self._store.stop()

    def step(self, call: Call) -> Answer | None:
        """Runs one step of one sequence, or gives its kept answer again; the outputs include the special ones.

        None when the special inputs are inputs of the signature itself: then it is an ordinary call.
        Raises ServingError; whatever is raised has changed nothing."""
        try:
            special = call.special()
        except ServingError as error:
            return self._refuse(call, error)
        return self._start(call, special) if special.control == START else self._go_on(call, special)

    def _refuse(self, call: Call, error: ServingError) -> Answer | None:
        """Raises the error, unless the model, its version or its contract are the first thing that is wrong."""
        with self.versions.of_start(call.spec) as servable:
            if self._contract(call, servable) is None:
                return None
        raise error

    def _contract(self, call: Call, servable: Servable) -> Contract | None:
        """The version's contract; None for an ordinary call. Raises FAILED_PRECONDITION when it has none."""
        found = contract_of(servable)
        if isinstance(found, Contract):
            return found
        if call.spec.signature not in servable.signatures:
            raise ServingError(call.no_signature.message, call.no_signature.code)
        if is_ordinary(call, servable):
            return None
        raise errors.no_contract(servable.name, servable.version, found)

    def _start(self, call: Call, special: SpecialInputs) -> Answer | None:
        """A new sequence, or the kept answer of the start that is repeated."""
        for _ in range(TRIES_TO_START):
            with self.versions.of_start(call.spec) as servable:
                if self._contract(call, servable) is None:
                    return None
                key = self._key_of_start(call, special)
                with self._turn(call, special, key):
                    answer = self._start_in_turn(call, special, key, servable)
                if answer is not None:
                    return answer
        raise NotFoundError(f"Servable not found for request: Latest({call.spec.name})")

    def _turn(self, call: Call, special: SpecialInputs, key: Key) -> AbstractContextManager[None]:
        """The call's turn in its sequence."""
        deadline = call.deadline_micros
        return self._turns.turn(
            key,
            starts=special.control == START,
            ends=special.control == END,
            step=special.step,
            most_waiting=self._settings[key.model].max_waiting,
            seconds=None if deadline is None else max(deadline - self._clock.micros(), 0) / 1e6,
            gone=call.gone,
            place=call.place,
        )

    def arrive(self, model: str, sequence: int | str | None) -> Place | None:
        """The place of a call that goes to a thread, for `Call.place`: calls of its sequence that come later run behind
        it. To be withdrawn when the call is over. None without an id."""
        return None if sequence is None else self._turns.arrive(Key(model, sequence))

    def withdraw(self, place: Place | None) -> None:
        """The call is over."""
        if place is not None:
            self._turns.withdraw(place)

    def deadline(self, timeout_ms: int | None) -> int | None:
        """The moment when a call of so many milliseconds is late; None without a limit."""
        return None if timeout_ms is None else self._clock.micros() + timeout_ms * 1000

    def _key_of_start(self, call: Call, special: SpecialInputs) -> Key:
        if special.id is None:
            return new_key(self._store, call.spec.name, call.patience)
        return Key(call.spec.name, special.id)

    def _start_in_turn(self, call: Call, special: SpecialInputs, key: Key, servable: Servable) -> Answer | None:
        """None when the version was given up meanwhile: another one is to be found."""
        record = self._forgetting.read(key, call.patience)
        try:
            if record is not None and not record.ended:
                if special.step == 0 and record.step == 0:
                    return self._repeat(key, record, 0)
                if not self.versions.is_gone(call.spec, key, record):
                    raise errors.already_exists()
                self._forgetting.forget(key, VERSION)
            if special.step not in (None, 0):
                raise errors.out_of_order(key.id, special.step or 0, -1)
            self._forgetting.make_room()
            self._store.reserve(key, servable.version, self._settings[key.model].max_sequence_number)
            try:
                if not self.versions.takes(servable):
                    if call.spec.version is not None or call.spec.label is not None:
                        raise NotFoundError(
                            f"Servable not found for request: Specific({servable.name}, {servable.version})"
                        )
                    self._store.release(key)
                    return None
                answer = self._run(call, special, key, servable, None)
            finally:
                self._store.unreserve(key, servable.version)
        except BaseException:
            self._store.release(key)
            raise
        self._metrics.started.add(key.model)
        return answer

    def _go_on(self, call: Call, special: SpecialInputs) -> Answer | None:
        """A further step, a repeat of the last one, or the end."""
        if special.id is None:
            return self._refuse(call, errors.no_id())
        key = Key(call.spec.name, special.id)
        with self._turn(call, special, key):
            record = self._forgetting.read(key, call.patience)
            try:
                answer = self._go_on_in_turn(call, special, key, record)
            except BaseException:
                self._store.release(key)
                raise
        if answer is None:
            return self._refuse(call, errors.not_found())
        return answer

    def _go_on_in_turn(self, call: Call, special: SpecialInputs, key: Key, record: Record | None) -> Answer | None:
        """The answer; None without a sequence to go on."""
        ends, step = special.control == END, special.step
        if record is None or (record.ended and not (ends and step == record.step)):
            self._store.release(key)
            return None
        if step is not None:
            if step == record.step:
                return self._repeat(key, record, step)
            if step != record.step + 1:
                raise errors.out_of_order(key.id, step, record.step)
        try:
            with self.versions.of_sequence(call.spec, key, record) as servable:
                if ends and not call.aliases:
                    return self._end_without_run(special, key, record, servable)
                answer = self._run(call, special, key, servable, record)
        except errors.VersionGoneError as error:
            if ends:
                self._forgetting.forget(key, VERSION)
            else:
                self.versions.stays_gone(key, record, error)
            raise
        if ends:
            self._ended(key)
        return answer

    def _repeat(self, key: Key, record: Record, step: int) -> Answer:
        """The kept answer once more."""
        self._store.release(key)
        if record.answer is None:
            raise errors.not_kept(key.id, record.step)
        self._metrics.repeats.add(key.model)
        return _with_special(record.answer, key, step)

    def _end_without_run(self, special: SpecialInputs, key: Key, record: Record, servable: Servable) -> Answer:
        answer = Answer(servable.version, {})
        (error,) = self._store.write([Change(key, self._ended_record(key, special, record.step + 1, answer))])
        if error is not None:
            raise error
        self._ended(key)
        return _with_special(answer, key, special.step)

    def _ended_record(self, key: Key, special: SpecialInputs, index: int, answer: Answer) -> Record | None:
        """What is kept of an ended sequence: where the end came with its index, the answer for its repeats."""
        if special.step is None or not self._settings[key.model].retain_ended_seconds:
            return None
        return Record(answer.version, index, b"", (), answer, self._clock.micros(), ended=True)

    def _ended(self, key: Key) -> None:
        self._metrics.ended.add(key.model, ENDED)
        self._forgetting.ended(key.model)

    def _run(self, call: Call, special: SpecialInputs, key: Key, servable: Servable, record: Record | None) -> Answer:
        """Runs the step, alone or joined with those of other sequences; its result is in the store when it returns."""
        joiner, step = self._prepared(call, special, key, servable, record)
        joiner.run(step)
        return self._answer(special, key, servable, step)

    def _prepared(
        self, call: Call, special: SpecialInputs, key: Key, servable: Servable, record: Record | None
    ) -> tuple[Joiner, Step]:
        """The step, and what runs it."""
        joiner, contract = self.joiner(servable)
        step = step_of(call, special.control, contract, servable, contract.zeros() if record is None else record.state)
        index = 0 if record is None else record.step + 1
        step.change = partial(self._change, special, key, servable.version, index, contract)
        step.patience = call.patience
        return joiner, step

    def _answer(self, special: SpecialInputs, key: Key, servable: Servable, step: Step) -> Answer:
        """That of a step that has run."""
        self._metrics.steps.add(key.model)
        return _with_special(Answer(servable.version, step.found), key, special.step)

    def begin(self, call: Call, wake: Callable[[], None], soon: Soon | None = None) -> Callable[[], Answer] | None:
        """A further step that no thread waits for; None where a thread has to, or where something is wrong: `step` is
        then to be asked. soon: may run it, if it is alone and brief.

        wake: called, on any thread, when what is returned is to be called, once, for the answer or the error. Until
        then the sequence is in its turn and its version stays loaded."""
        try:
            special = call.special()
        except ServingError:
            return None
        if special.control != GO_ON or special.id is None or not self._store.reads_at_once:
            return None
        key = Key(call.spec.name, special.id)
        if not self._turns.try_enter(key):
            return None
        held: Harness | None = None
        joiner: Joiner | None = None
        try:
            record = self._forgetting.read(key, call.patience)
            if record is None or record.ended or special.step not in (None, record.step + 1):
                return None
            held = self.versions.hold(call.spec, key, record)
            servable: Servable = held.loaded
            joiner, step = self._prepared(call, special, key, servable, record)
        except ServingError:
            return None
        finally:
            if joiner is None:
                self._give_back(key, held)

        def take() -> Answer:
            self._give_back(key, held)
            if step.error is not None:
                raise ServingError(step.error.message, step.error.code)
            return self._answer(special, key, servable, step)

        joiner.begin(step, wake, soon)
        return take

    def _give_back(self, key: Key, held: Harness | None) -> None:
        """The turn of a step that was begun, and its version."""
        if held is not None:
            held.leave()
        self._turns.leave(key)

    def joiner(self, servable: Servable) -> tuple[Joiner, Contract]:
        """What joins the steps of a version, which holds sequences."""
        found = self._joiners.get(servable)
        contract = contract_of(servable)
        assert isinstance(contract, Contract)
        if found is None:
            ran = partial(self._ran, servable.name)
            made = Joiner(servable, contract, self._clock, self._write, ran, self._store.writes_at_once)
            found = self._joiners.setdefault(servable, made)
        return found, contract

    def count_step(self, model: str) -> None:
        """A step has run that another than `step` asked for."""
        self._metrics.steps.add(model)

    def _ran(self, model: str, rows: int, seconds: float) -> None:
        self._metrics.batch_size.observe(rows, model)
        for _ in range(rows):
            self._server_metrics.ran(model, "Predict", seconds)

    def _change(
        self, special: SpecialInputs, key: Key, version: int, index: int, contract: Contract, step: Step
    ) -> Change:
        """What the step writes: the new state, and the answer where a repeat may ask for it."""
        answer = Answer(version, step.found)
        if special.control == END:
            return Change(key, self._ended_record(key, special, index, answer))
        kept = None if special.step is None else answer
        record = Record(version, index, step.new_state, contract.layout, kept, self._clock.micros())
        return Change(key, record)

    def _write(self, steps: Sequence[Step]) -> None:
        """Keeps the results of a batch."""
        kept = [(step, step.change(step)) for step in steps if step.change is not None]
        if not kept:
            return
        errors_of_writes = self._store.write([change for _, change in kept])
        for (step, _), error in zip(kept, errors_of_writes, strict=True):
            step.error = error


def _with_special(answer: Answer, key: Key, step: int | None) -> Answer:
    """The answer with the id, and with the index where the request had one."""
    outputs = {**answer.outputs, special_inputs.ID: special_inputs.id_array(key.id)}
    if step is not None:
        outputs[special_inputs.STEP] = np.array([step], np.int64)
    return Answer(answer.version, outputs)
