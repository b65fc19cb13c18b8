"""Begins and ends requests on both faces: a log line for each at debug, for a slow one at warning, and a span."""

import json
import logging
import re
from collections.abc import Iterable
from typing import Any

from serving.observing import tracing
from serving.observing.request import Request
from serving.observing.request_id import HEADER
from serving.observing.tracing import Tracer

log = logging.getLogger("serving.requests")
WAITS_FOR_LOADS = "HandleReloadConfigRequest"  # takes as long as its models take to load, that is not slow
LONGEST_TEXT = 512  # characters of a caller's text in a line
PLAIN = re.compile(r"[\w.:/+=@-]+", re.ASCII)
HEADERS = {name: name.encode() for name in (HEADER, *tracing.HEADERS)}
NAMES = {content: name for name, content in HEADERS.items()}


class Observer:
    """One for a server; both faces begin each request with it."""

    def __init__(self, slow_request_seconds: float = 0.0) -> None:
        """slow_request_seconds: from when on a request is logged as slow; 0 or less: never."""
        self._slow_seconds = slow_request_seconds if slow_request_seconds > 0 else float("inf")
        self._tracer: Tracer | None = None

    def start(self) -> None:
        """Begins to send traces, where the environment asks for them."""
        self._tracer = tracing.tracer()

    def stop(self) -> None:
        """Sends the spans that wait, and ends the sending."""
        if self._tracer is not None:
            self._tracer.stop()

    def grpc(self, call: str, context: Any) -> Request:
        """A gRPC call begins: call is the method's name, context that of the servicer. Its id goes back at the end."""
        request = self._begin("GRPC", call, context.invocation_metadata())
        context.set_trailing_metadata(((HEADER, request.id),))
        return request

    def rest(self, headers: Iterable[tuple[bytes, bytes]]) -> Request:
        """An HTTP request begins: headers as ASGI has them."""
        ours = [(NAMES[name], value.decode("latin-1")) for name, value in headers if name in NAMES]
        return self._begin("REST", "", ours)

    def _begin(self, face: str, call: str, headers: Iterable[tuple[str, Any]]) -> Request:
        given: str | None = None
        traced: dict[str, str] = {}
        for name, value in headers:
            if name == HEADER:
                given = value
            elif self._tracer is not None and name in tracing.HEADERS:
                traced[name] = value
        return Request(self._ended, face, call, given, traced)

    def _ended(self, request: Request, seconds: float) -> None:
        slow = seconds >= self._slow_seconds and request.call != WAITS_FOR_LOADS
        level = logging.WARNING if slow else logging.DEBUG
        if self._tracer is None and not log.isEnabledFor(level):
            return
        fields = request.fields(seconds)
        if self._tracer is not None:
            fields |= self._tracer.span(request, fields, seconds)
        if log.isEnabledFor(level):
            text = " ".join(f"{name}={_written(value)}" for name, value in fields.items())
            log.log(level, "%s %s", "slow request" if slow else "request", text, extra={"fields": fields})


def _written(value: Any) -> str:
    """The value on one line: a caller's text is quoted unless it is plain, so that no caller can forge a line."""
    text = str(value)
    return text if PLAIN.fullmatch(text) else json.dumps(text[:LONGEST_TEXT])
