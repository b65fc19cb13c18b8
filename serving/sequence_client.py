"""The client's side of a sequence that the server holds: numbered steps, repeated without being counted twice."""

import time
import uuid
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Listed
from types import TracebackType
from typing import Any, NamedTuple, Protocol

import numpy as np

from serving.errors import Code, FailedPreconditionError, ServingError

GO_ON, START, END = 0, 1, 2
# A broken connection is UNAVAILABLE; ABORTED over HTTP is 409, which a client takes for ALREADY_EXISTS, and which no
# other sequence can cause: none has the id.
REPEATED = (Code.UNAVAILABLE, Code.ABORTED, Code.ALREADY_EXISTS)
UNSETTLED = (*REPEATED, Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.UNKNOWN)  # the step may have counted
# Of a repeat: said before the server looks at the sequence, so nothing about the first try.
TURNED_AWAY = (*UNSETTLED, Code.RESOURCE_EXHAUSTED, Code.UNAUTHENTICATED, Code.PERMISSION_DENIED)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 1.0
LEAVING_SECONDS = 1.0  # an exception on its way out waits no longer for a server that cannot be reached


class Asked(Protocol):
    """A client of one server."""

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        signature_name: str,
        version: int | None,
        label: str | None,
        outputs: Listed[str],
    ) -> dict[str, np.ndarray]:
        """Output alias -> array."""
        ...


class _Call(NamedTuple):
    """What the server was asked for."""

    inputs: Mapping[str, Any]
    control: int
    outputs: tuple[str, ...]

    def copied(self) -> "_Call":
        """With inputs that nobody changes any more."""
        return self._replace(inputs={alias: np.array(value) for alias, value in self.inputs.items()})

    def equals(self, other: "_Call") -> bool:
        """Whether a repeat asks for the same."""
        if self[1:] != other[1:] or self.inputs.keys() != other.inputs.keys():
            return False
        return all(_same(np.asarray(value), np.asarray(other.inputs[alias])) for alias, value in self.inputs.items())


class Sequence:
    """One sequence of a model.

        with client.sequence("weather") as sequence:
            forecast = sequence.step({"temp_max": [[12.8]], ...})

    Not for use by several threads at once. What the server answers with UNAVAILABLE or ABORTED, and what gets no answer
    because the connection breaks, is asked again, at the next server of the list, until `patience` seconds have
    passed; the index of the step keeps it from being counted twice.

    A step whose answer has not come after all, since its time was over, the patience at an end or the call broken off,
    may have counted. The same step again settles that, and gives the answer. Until then no other step is taken, but
    the sequence can be ended."""

    def __init__(
        self,
        clients: Listed[Asked],
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        patience: float = 30.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """clients: of servers that share a store, or a single one; version, label: on which it starts, neither for
        the default version; pause: waits between two tries, in seconds."""
        self.id = uuid.uuid4().hex
        self.model = model
        self._clients = list(clients)
        self._version, self._label = version, label
        self._patience = patience
        self._pause = pause
        self._next_step = 0
        self._ended = False
        self._last: tuple[_Call, int] | None = None  # and its index
        self._unsettled: _Call | None = None  # that may have counted

    def __enter__(self) -> "Sequence":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, traceback: TracebackType | None) -> None:
        if self._ended or not self._begun:
            return
        try:
            if self._unsettled is None:
                self.end()
            else:
                self._forget(self._patience if kind is None else min(self._patience, LEAVING_SECONDS))
        except ServingError:
            if kind is None:
                raise
        finally:
            self._last = None

    def step(self, inputs: Mapping[str, Any], outputs: Listed[str] = ()) -> dict[str, np.ndarray]:
        """Output alias -> array for the next chunk; the first one starts the sequence. outputs: only these.

        Raises ServingError with the server's code and text; the sequence is then as it was before, unless the step may
        have counted (see above). FAILED_PRECONDITION when such a step is not repeated."""
        return self._ask(inputs, GO_ON if self._next_step else START, outputs)

    def end(self, inputs: Mapping[str, Any] | None = None, outputs: Listed[str] = ()) -> dict[str, np.ndarray]:
        """Ends the sequence, with a last chunk or without; without one also where the step before may have counted."""
        if not self._begun:
            raise FailedPreconditionError("The sequence has not begun; ask for a step first.")
        if self._unsettled is not None and not inputs:
            self._forget(self._patience)
            return {}
        answer = self._ask(inputs or {}, END, outputs)
        self._ended = True
        return answer

    def unanswered(self) -> None:
        """What came of the last call did not reach the one who asked: for him the call may have counted."""
        if self._last is not None:
            call, self._next_step = self._last
            self._unsettled, self._last, self._ended = call.copied(), None, False

    @property
    def _begun(self) -> bool:
        """Whether the server may have it."""
        return bool(self._next_step) or self._unsettled is not None

    def _ask(self, inputs: Mapping[str, Any], control: int, outputs: Listed[str]) -> dict[str, np.ndarray]:
        self._last = None
        if self._ended:
            raise FailedPreconditionError(f"Sequence {self.id} has ended; open another one.")
        call = _Call(inputs, control, tuple(outputs))
        if self._unsettled is not None and not self._unsettled.equals(call):
            raise FailedPreconditionError(
                f"Sequence {self.id}: step {self._next_step} may have counted, its answer has not come; "
                "repeat it with the same inputs and outputs, or end the sequence."
            )
        self._last = call, self._next_step
        try:
            answer = self._predict(call, self._next_step, self._patience)
        except BaseException as error:
            if not isinstance(error, Exception):  # it was broken off
                self._unsettled = call.copied()
            raise
        self._next_step += 1
        self._unsettled = None
        return answer

    def _forget(self, patience: float) -> None:
        """Ends it, whatever of it the server has: without an index, by which the end may be a repeat of a step."""
        self._last = None
        try:
            self._predict(_Call({}, END, ()), None, patience)
        except ServingError as error:
            if error.code is not Code.NOT_FOUND:
                raise
        self._ended, self._unsettled = True, None

    def _predict(self, call: _Call, step: int | None, patience: float) -> dict[str, np.ndarray]:
        """The answer, by as many tries as it takes. Notes, when there is none, whether the call may have counted."""
        special: dict[str, Any] = {
            "sequence_id": np.array([self.id]),
            "sequence_control_input": np.array([call.control], np.uint32),
        }
        if step is not None:
            special["sequence_step"] = np.array([step], np.int64)
        starts = call.control == START
        given_up = time.monotonic() + patience
        seconds = FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = self._clients[0].predict(
                    self.model,
                    {**call.inputs, **special},
                    signature_name="step",
                    version=self._version if starts else None,
                    label=self._label if starts else None,
                    outputs=call.outputs,
                )
                return {alias: array for alias, array in answer.items() if not alias.startswith("sequence_")}
            except ServingError as error:
                if step is not None:
                    self._note(call, error.code)
                if error.code not in REPEATED or time.monotonic() + seconds > given_up:
                    raise
            self._clients.append(self._clients.pop(0))
            self._pause(seconds)
            seconds = min(2 * seconds, LONGEST_PAUSE_SECONDS)

    def _note(self, call: _Call, code: Code) -> None:
        """What a failed try says of whether the call may have counted."""
        if code not in (UNSETTLED if self._unsettled is None else TURNED_AWAY):
            self._unsettled = None
        elif self._unsettled is None:
            self._unsettled = call.copied()


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays are the same, NaN included."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return one.tolist() == other.tolist() if one.dtype == object else one.tobytes() == other.tobytes()
