"""What a sequence call can be answered when it fails: every text in one place."""

from collections.abc import Iterable

from serving.errors import Code, FailedPreconditionError, InvalidArgumentError, ServingError

SequenceId = int | str


class SequenceStateError(FailedPreconditionError):
    """The sequence is not in the state that the call needs; HTTP says 412."""


class VersionGoneError(SequenceStateError):
    """No version takes the sequence on."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def _precondition(text: str) -> ServingError:
    return SequenceStateError(text)


def not_found() -> ServingError:
    """No such sequence, or none any more."""
    return ServingError("Sequence with provided ID does not exist", Code.NOT_FOUND)


def already_exists() -> ServingError:
    """A start of an id that is in use."""
    return ServingError("Sequence with provided ID already exists", Code.ALREADY_EXISTS)


def ending() -> ServingError:
    """A start while the end of the same id still runs."""
    return _precondition("Sequence last request is being processed and it's not available anymore")


def too_many() -> ServingError:
    """max_sequence_number is reached."""
    return ServingError(
        "Max sequence number has been reached. Could not create new sequence.",
        Code.UNAVAILABLE,
    )


def memory_limit(limit: int) -> ServingError:
    """sequence_memory_limit_bytes is reached."""
    return ServingError(
        f"Sequence memory limit of {limit} bytes has been reached. Could not create new sequence.", Code.UNAVAILABLE
    )


def no_id() -> ServingError:
    """Only a start may come without an id."""
    return InvalidArgumentError("Sequence ID has not been provided in request inputs")


def bad_control() -> ServingError:
    """A control that is none of 0, 1, 2."""
    return InvalidArgumentError("Unexpected value of sequence control input")


def no_value(what: str, field: str) -> ServingError:
    """A special input of another dtype, or without a value."""
    return InvalidArgumentError(f"Could not find {what} in expected tensor proto field {field}")


def no_shape() -> ServingError:
    """A special input whose shape is not [1]."""
    return InvalidArgumentError("Special input proto does not contain tensor shape information")


def state_inputs(aliases: Iterable[str]) -> ServingError:
    """State inputs where none are taken, or not all of them."""
    return InvalidArgumentError(
        f"State inputs are accepted only at sequence start, all of them; got {{{','.join(sorted(aliases))}}}"
    )


def rows(alias: str, number: int) -> ServingError:
    """A data input with another number of rows than one."""
    return InvalidArgumentError(f"Sequence request must have one row; input {alias} has {number}")


def out_of_order(sequence: SequenceId, step: int, last: int) -> ServingError:
    """A step that is neither the next nor the last one."""
    return _precondition(f"Sequence {sequence}: step {step} does not follow step {last}")


def not_kept(sequence: SequenceId, step: int) -> ServingError:
    """A repeat of a step that came without its index."""
    return _precondition(f"Sequence {sequence}: the answer of step {step} was not kept")


def other_version(sequence: SequenceId, runs_on: int, model: str, asked: int) -> ServingError:
    """The call's version or label is not the one that the sequence runs on."""
    return _precondition(
        f"Sequence {sequence} runs on version {runs_on} of model {model}, the request asks for version {asked}"
    )


def version_gone(sequence: SequenceId, version: int, model: str, reason: str) -> VersionGoneError:
    """The sequence's version is not loaded, and no other one takes it on."""
    return VersionGoneError(
        f"Sequence {sequence} cannot go on: version {version} of model {model} is not loaded and {reason}", reason
    )


def no_contract(model: str, version: int, rule: str) -> ServingError:
    """The version holds no sequences."""
    return _precondition(f"Model {model} version {version} holds no sequences: {rule}")


def too_many_waiting(sequence: SequenceId, limit: int) -> ServingError:
    """sequence_max_waiting is reached."""
    return ServingError(
        f"Sequence {sequence} has {limit} requests waiting, which is the limit", Code.RESOURCE_EXHAUSTED
    )


def store_unreachable(reason: str) -> ServingError:
    """The store does not answer, or cannot write."""
    return ServingError(f"Sequence store is not reachable: {reason}", Code.UNAVAILABLE)


def taken_over(sequence: SequenceId) -> ServingError:
    """Another server has the sequence by now."""
    return ServingError(f"Sequence {sequence} was taken over by another server; repeat the step", Code.ABORTED)
