"""Errors with the codes of TensorFlow's absl::Status; each face maps them to its own in one table.

In TensorFlow Serving: model_servers/grpc_status_util.cc, model_servers/http_server.cc."""

from enum import IntEnum
from typing import Any


class Code(IntEnum):
    """Status codes, with the numbers of tensorflow.error.Code."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class ServingError(Exception):
    """What a caller is answered when a call fails: a code, and TensorFlow Serving's text where it has one."""

    code = Code.UNKNOWN

    def __init__(self, message: str, code: Code | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    @property
    def status(self) -> str:
        """The way a status prints: `<CODE>: <message>`."""
        return f"{self.code.name}: {self.message}"


class CancelledError(ServingError):
    """The work was given up before it ended."""

    code = Code.CANCELLED


class InvalidArgumentError(ServingError):
    """The caller sent something that no state of the server would accept."""

    code = Code.INVALID_ARGUMENT


class DeadlineExceededError(ServingError):
    """The call's time was over before its run ended."""

    code = Code.DEADLINE_EXCEEDED


class NotFoundError(ServingError):
    """A model, version, file or folder is not there."""

    code = Code.NOT_FOUND


class PermissionDeniedError(ServingError):
    """The caller is known, and may not do this."""

    code = Code.PERMISSION_DENIED


class UnauthenticatedError(ServingError):
    """It is not known who calls."""

    code = Code.UNAUTHENTICATED


class ResourceExhaustedError(ServingError):
    """A limit is reached."""

    code = Code.RESOURCE_EXHAUSTED


class FailedPreconditionError(ServingError):
    """The state of the server or model does not allow it."""

    code = Code.FAILED_PRECONDITION


class UnimplementedError(ServingError):
    """TensorFlow Serving has no such thing, and neither have we."""

    code = Code.UNIMPLEMENTED


class InternalError(ServingError):
    """Something that should hold does not."""

    code = Code.INTERNAL


class UnavailableError(ServingError):
    """Not now; a repeat may help."""

    code = Code.UNAVAILABLE


class DataLossError(ServingError):
    """A file is damaged."""

    code = Code.DATA_LOSS


def from_tensorflow(error: Any) -> ServingError:
    """The same status as a tf.errors.OpError, which carries the runtime's code and text."""
    return ServingError(error.message, Code(error.error_code))


def quoting_bytes(error: UnicodeDecodeError) -> ServingError:
    """The error of a run whose text quotes bytes that are no UTF-8, as that of parsing an Example does.

    TensorFlow cannot put such a text into Python and loses the code with it; what quotes a caller's bytes is about
    what the caller sent."""
    return InvalidArgumentError(error.object.decode("utf-8", "surrogateescape"))


def from_os(error: OSError, what: str) -> ServingError:
    """The status that TensorFlow's file system gives for errno: `<what>; <strerror>`."""
    codes = {
        FileNotFoundError: Code.NOT_FOUND,
        PermissionError: Code.PERMISSION_DENIED,
        NotADirectoryError: Code.FAILED_PRECONDITION,
        IsADirectoryError: Code.FAILED_PRECONDITION,
    }
    return ServingError(f"{what}; {error.strerror or error}", codes.get(type(error), Code.UNKNOWN))
