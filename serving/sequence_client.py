"""The client's side of a sequence that the server holds: numbered steps, repeated without being counted twice."""

import time
import uuid
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Listed
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from serving.errors import Code, FailedPreconditionError, ServingError

GO_ON, START, END = 0, 1, 2
# A broken connection is UNAVAILABLE; ABORTED over HTTP is 409, which a client takes for ALREADY_EXISTS, and which no
# other sequence can cause: none has the id.
REPEATED = (Code.UNAVAILABLE, Code.ABORTED, Code.ALREADY_EXISTS)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 1.0


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


class Sequence:
    """One sequence of a model.

        with client.sequence("weather") as sequence:
            forecast = sequence.step({"temp_max": [[12.8]], ...})

    Not for use by several threads at once. What the server answers with UNAVAILABLE or ABORTED, and what gets no answer
    because the connection breaks, is asked again, at the next server of the list, until `patience` seconds have
    passed; the index of the step keeps it from being counted twice."""

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

    def __enter__(self) -> "Sequence":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, traceback: TracebackType | None) -> None:
        if self._ended or not self._next_step:
            return
        try:
            self.end()
        except ServingError:
            if kind is None:
                raise

    def step(self, inputs: Mapping[str, Any], outputs: Listed[str] = ()) -> dict[str, np.ndarray]:
        """Output alias -> array for the next chunk; the first one starts the sequence. outputs: only these.

        Raises ServingError with the server's code and text; the sequence is then as it was before."""
        return self._ask(inputs, START if not self._next_step else GO_ON, outputs)

    def end(self, inputs: Mapping[str, Any] | None = None, outputs: Listed[str] = ()) -> dict[str, np.ndarray]:
        """Ends the sequence, with a last chunk or without."""
        if not self._next_step:
            raise FailedPreconditionError("The sequence has not begun; ask for a step first.")
        answer = self._ask(inputs or {}, END, outputs)
        self._ended = True
        return answer

    def _ask(self, inputs: Mapping[str, Any], control: int, outputs: Listed[str]) -> dict[str, np.ndarray]:
        if self._ended:
            raise FailedPreconditionError(f"Sequence {self.id} has ended; open another one.")
        special = {
            "sequence_id": np.array([self.id]),
            "sequence_control_input": np.array([control], np.uint32),
            "sequence_step": np.array([self._next_step], np.int64),
        }
        starts = control == START
        given_up = time.monotonic() + self._patience
        seconds = FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = self._clients[0].predict(
                    self.model,
                    {**inputs, **special},
                    signature_name="step",
                    version=self._version if starts else None,
                    label=self._label if starts else None,
                    outputs=outputs,
                )
                break
            except ServingError as error:
                if error.code not in REPEATED or time.monotonic() + seconds > given_up:
                    raise
            self._clients.append(self._clients.pop(0))
            self._pause(seconds)
            seconds = min(2 * seconds, LONGEST_PAUSE_SECONDS)
        self._next_step += 1
        return {alias: array for alias, array in answer.items() if not alias.startswith("sequence_")}
