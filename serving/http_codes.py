"""HTTP status of each code. In TensorFlow Serving: model_servers/http_server.cc."""

from serving.errors import Code, ServingError
from serving.sequences.errors import SequenceStateError

HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
MOST_LIKELY = {400: Code.INVALID_ARGUMENT, 409: Code.ALREADY_EXISTS, 500: Code.INTERNAL}  # where several share a status

PRECONDITION_FAILED = 412  # of sequences; the stock server says 400 for FAILED_PRECONDITION


def status_of(error: ServingError) -> int:
    """The HTTP status of an error."""
    return PRECONDITION_FAILED if isinstance(error, SequenceStateError) else HTTP_STATUS[error.code]


def code_of(status: int) -> Code:
    """The code that a client takes an HTTP status for."""
    if status == PRECONDITION_FAILED:
        return Code.FAILED_PRECONDITION
    if status in MOST_LIKELY:
        return MOST_LIKELY[status]
    return next((code for code, number in HTTP_STATUS.items() if number == status), Code.UNKNOWN)
