"""One request while it is answered: what the log and the traces say about it."""

import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any

from serving.errors import Code, ServingError
from serving.http_codes import code_of
from serving.observing import request_id

if TYPE_CHECKING:
    from serving.calls import ModelSpec

HEADER = request_id.HEADER.encode()
Ended = Callable[["Request", float], None]


class Request:
    """A context manager around the answer; inside, CURRENT is this request."""

    __slots__ = (
        *("_ended", "_start", "_token"),
        *("call", "error", "face", "http", "id", "spec", "status", "traced", "version"),
    )

    def __init__(self, ended: Ended, face: str, call: str, given_id: str | None, traced: dict[str, str]) -> None:
        """ended: called at the end with this request and its seconds; face: GRPC or REST; call: its method's name;
        traced: the caller's headers traceparent and tracestate, where they count."""
        self.face = face
        self.call = call
        self.id = request_id.accepted(given_id)
        self.traced = traced
        self.spec: ModelSpec | None = None  # as it was asked for
        self.version: int | None = None  # the one that answers
        self.status = Code.OK
        self.error = ""
        self.http: int | None = None  # the status of the answer
        self._ended = ended
        self._start = 0.0
        self._token: Token[Request | None] | None = None

    @property
    def header(self) -> tuple[bytes, bytes]:
        """Its id as a header of the answer."""
        return HEADER, self.id.encode()

    def failed(self, error: ServingError) -> None:
        """It is answered with this error."""
        self.status, self.error = error.code, error.message

    def answered(self, http: int) -> None:
        """It is answered with this HTTP status."""
        self.http = http
        if self.status is Code.OK and http >= 400:  # a page of the HTTP library's kind, which comes of no ServingError
            self.status = code_of(http)

    def begun(self, call: str, spec: "ModelSpec", version: int | None = None) -> "Request":
        """It begins without a block, as what is answered in several callbacks; CURRENT is as it was."""
        self._start = time.perf_counter()
        self.call, self.spec, self.version = call, spec, version
        return self

    def ended(self) -> None:
        """It is answered."""
        self._ended(self, time.perf_counter() - self._start)

    def __enter__(self) -> "Request":
        self._start = time.perf_counter()
        self._token = CURRENT.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, traceback: TracebackType | None) -> None:
        if self._token is not None:
            CURRENT.reset(self._token)
        self.ended()

    def fields(self, seconds: float) -> dict[str, Any]:
        """What is known of it, by name; what is not known is left out."""
        found: dict[str, Any] = {"request_id": self.id, "face": self.face, "call": self.call}
        if (spec := self.spec) is not None:
            version = spec.version if self.version is None else self.version
            found |= {"model": spec.name, "version": version, "label": spec.label, "signature": spec.signature_name}
        found |= {"status": self.status.name, "http": self.http, "error": self.error, "ms": round(seconds * 1e3, 3)}
        return {name: value for name, value in found.items() if value not in ("", None)}


CURRENT: ContextVar[Request | None] = ContextVar("request", default=None)
