"""What a call may be answered: its answer, one of the errors of sequences, or that of a lost connection."""

import re
from dataclasses import dataclass

import grpc
import numpy as np
import tensorflow as tf

NOT_FOUND = "NOT_FOUND", r"Sequence with provided ID does not exist"
EXISTS = "ALREADY_EXISTS", r"Sequence with provided ID already exists"
ENDING = "FAILED_PRECONDITION", r"Sequence last request is being processed and it's not available anymore"
OUT_OF_ORDER = "FAILED_PRECONDITION", r"Sequence \S+: step -?\d+ does not follow step -?\d+"
NOT_KEPT = "FAILED_PRECONDITION", r"Sequence \S+: the answer of step \d+ was not kept"
OTHER_VERSION = "FAILED_PRECONDITION", r"Sequence \S+ runs on version \d+ of model m, the request asks for version \d+"
NO_VERSION = "NOT_FOUND", r"Servable not found for request: .*"
VERSION_GONE = "FAILED_PRECONDITION", r"Sequence \S+ cannot go on: version \d+ of model m is not loaded and .*"
BAD_INPUT = "INVALID_ARGUMENT", r"Expects arg\[0\] to be float but double is provided"
WAITING = "RESOURCE_EXHAUSTED", r"Sequence \S+ has \d+ requests waiting, which is the limit"
STORE = "UNAVAILABLE", r"Sequence store is not reachable: .*"
TAKEN_OVER = "ABORTED", r"Sequence \S+ was taken over by another server; repeat the step"
LATE = "DEADLINE_EXCEEDED", r".*"
CUT = "CANCELLED", r".*"
LOST = "UNAVAILABLE", r"(?!Sequence store)(?!Max sequence)(?!Sequence memory).*"  # of gRPC: no server, a cut connection
AGAIN = (STORE, TAKEN_OVER, LATE, CUT, LOST, WAITING)  # the call is to be repeated


@dataclass(frozen=True)
class Outcome:
    """An answer, or an error's code and text."""

    code: str
    text: str = ""
    version: int = 0
    y: np.ndarray | None = None
    number: np.ndarray | None = None
    id: int | str | None = None
    step: int | None = None

    def __str__(self):
        return f"version {self.version}: {self.y} {self.number}" if self.code == "OK" else f"{self.code}: {self.text}"

    def is_one(self, *errors):
        """Whether it is one of these errors."""
        return any(self.code == code and re.fullmatch(text, self.text, re.DOTALL) for code, text in errors)


def outcome(call):
    """What became of a call: a function, or a future's `result`."""
    try:
        response = call()
    except grpc.FutureCancelledError:
        return Outcome("CANCELLED")
    except grpc.RpcError as error:
        return Outcome(error.code().name, error.details() or "")
    except ValueError as error:  # of a channel that is closed
        return Outcome("CANCELLED", str(error))
    found = {alias: tf.make_ndarray(tensor) for alias, tensor in response.outputs.items()}
    name = found["sequence_id"][0]
    return Outcome(
        "OK",
        version=response.model_spec.version.value,
        y=found.get("y"),
        number=found.get("number"),
        id=name.decode() if isinstance(name, bytes) else int(name),
        step=int(found["sequence_step"][0]) if "sequence_step" in found else None,
    )
