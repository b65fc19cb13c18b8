"""One HTTP connection: uvicorn's protocol, with limits, and with the stock server's answer to unknown methods."""

import sys
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serving.calls import ModelSpec
from serving.http_limits import LINGER_SECONDS, SLOWEST_BYTES_PER_SECOND, Connections, HttpLimits
from serving.observing import request_id
from serving.rest_joined import JoinedPredict

NOT_IMPLEMENTED = b"<html><head><title>501 Not Implemented</title></head><body><h1>Not Implemented</h1></body></html>\n"


class Protocol(HttpToolsProtocol):
    """Reads requests as long as they keep to the limits; cuts off what is too large, too slow, or idle for too long."""

    def __init__(
        self,
        *args: Any,
        limits: HttpLimits,
        open_connections: Connections,
        joined: JoinedPredict | None = None,
        **kwargs: Any,
    ) -> None:
        """joined: takes the requests that it can answer without the application."""
        super().__init__(*args, **kwargs)
        self._joined = joined
        self._for_joined: ModelSpec | None = None  # of a request that it may take when its body has come
        self._waits_for_body = False
        self._limits = limits
        self._open = open_connections
        self._in_head = False
        self._started = False  # its answer: the cycle is its own, not that of an earlier one
        self._receiving = False  # a request has begun to come, and not ended
        self._began = 0.0  # when it did, 0 until its first chunk has been read
        self._received = 0  # bytes of its chunks but the first
        self._chunk = 0  # bytes of the chunk that is being read
        self._body = 0  # bytes of its body
        self._rest = 0.0  # when the connection was found at rest, or was refused; 0 since a request began
        self._refused = False

    def connection_made(self, transport: Any) -> None:
        """As uvicorn's."""
        super().connection_made(transport)
        self._rest = self.loop.time()
        self._open.add(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's."""
        self._open.discard(self)
        self._leave_to_application()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads a chunk; what comes after a refusal is dropped."""
        if self._refused:
            return
        self._chunk = len(data)
        super().data_received(data)
        if not self._receiving or self._refused:
            return
        if not self._began:
            self._began = self.loop.time()
            return
        self._received += len(data)
        if self._in_head and self._received > self._limits.max_header_bytes:
            self._refuse_head()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._receiving, self._started = True, True, False
        self._began, self._rest, self._received, self._body = 0.0, 0.0, 0, 0

    def on_headers_complete(self) -> None:
        """Its head is there: the request is begun to be answered, if it keeps to the limits."""
        self._in_head = False
        limits = self._limits
        if self._chunk + self._received > limits.max_header_bytes and self._head_bytes() > limits.max_header_bytes:
            self._refuse_head()
            return
        for name, value in self.headers:
            if (
                name == b"content-length" and int(value) > limits.max_body_bytes
            ):  # the parser let no other digits through
                self._refuse_body()
                return
        if self._joined is not None and not self.flow.write_paused:
            self._for_joined = self._joined.wants(self.parser.get_method(), self.url, self.headers)
        super().on_headers_complete()
        self._for_joined = self._for_joined if self._waits_for_body else None
        self._started = True

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """As uvicorn's; not yet where the request may be taken when its body has come."""
        if self._in_head_of(cycle) and self._for_joined is not None:
            self._waits_for_body = True
        else:
            super()._start_asgi_task(cycle, app)

    def _in_head_of(self, cycle: Any) -> bool:
        """Whether the cycle begins by the head of a request, not by the end of an answer."""
        return cycle is self.cycle and not self._started

    def _leave_to_application(self) -> None:
        """The request that was kept for its body."""
        if self._waits_for_body:
            self._waits_for_body, self._for_joined = False, None
            super()._start_asgi_task(self.cycle, self.app)

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        if self._refused:
            return
        self._body += len(body)
        if self._body > self._limits.max_body_bytes:
            self._refuse_body()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Its end."""
        if not self._refused:
            self._receiving = False
            super().on_message_complete()
            if self._waits_for_body and self._joined is not None and self._for_joined is not None:
                cycle, reply = self.cycle, partial(self._reply, self.cycle)
                if self._joined.take(self._for_joined, self.headers, bytes(cycle.body), reply):
                    self._waits_for_body, self._for_joined = False, None
                else:
                    self._leave_to_application()

    def _reply(self, cycle: Any, status: int, head: bytes, content: bytes) -> None:
        """Answers a request that was taken, in one write, and goes on as uvicorn's cycle does."""
        if cycle.disconnected or cycle.response_complete:
            return
        end = b"" if cycle.keep_alive else b"connection: close\r\n"
        always = b"".join(b"%s: %s\r\n" % pair for pair in cycle.default_headers)
        length = b"content-length: %d\r\n" % len(content)
        self.transport.write(b"".join((STATUS_LINE[status], always, head, length, end, b"\r\n", content)))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def sweep(self, now: float) -> None:
        """Ends the connection where it has been idle, or a request coming, for too long; now: of the loop's clock."""
        if self._refused:
            if now - self._rest > LINGER_SECONDS and not self._answering():
                self.transport.abort()
        elif self._receiving and self._began:
            if self.flow.read_paused:
                self._began = now  # it is we who do not read
            elif now - self._began > self._limits.receive_timeout_seconds + self._received / SLOWEST_BYTES_PER_SECOND:
                seconds = self._limits.receive_timeout_seconds
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"The request has not come within {seconds} seconds")
        elif self._answering():
            return
        elif not self._rest:
            self._rest = now  # its answer was written since the sweep before
        elif now - self._rest > self._limits.keep_alive_seconds:
            if self.transport.is_closing() or self.transport.get_write_buffer_size():
                self.transport.abort()  # who does not read its answer is not waited for
            else:
                self.transport.close()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)

    def _refuse_head(self) -> None:
        most = self._limits.max_header_bytes
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The headers have more than {most} bytes")

    def _refuse_body(self) -> None:
        most = self._limits.max_body_bytes
        self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body has more than {most} bytes")

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """Answers the request that is coming, and reads no more."""
        self._refused, self._rest = True, self.loop.time()
        if not self._started and self._answering():
            self.cycle.keep_alive = False  # the answer to an earlier request is still to come: it is the last one
            return
        self._leave_to_application()
        if self._started:
            if self.pipeline or self.cycle.response_complete:
                self.transport.close()  # it waits behind others, or has its answer and went on sending
                return
            self.cycle.disconnected = self.cycle.response_complete = True
            self.cycle.message_event.set()  # the application, which waits for the rest, learns that none comes
        content = b'{\n    "error": "%s"\n}' % text.encode()
        head = b"content-type: application/json\r\nconnection: close\r\nx-request-id: %s\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head % (self._request_id(), len(content)) + content)
        self.flow.resume_reading()

    def _request_id(self) -> bytes:
        """The caller's, as far as its headers have come."""
        given = [value for name, value in self.headers if name == request_id.HEADER.encode()]
        return request_id.accepted(given[-1].decode("latin-1") if given else None).encode()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def send_400_response(self, msg: str) -> None:
        """Called while the parser's error is being handled."""
        if not isinstance(sys.exc_info()[1], httptools.HttpParserInvalidMethodError):
            super().send_400_response(msg)
            return
        head = b"content-type: text/html\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(NOT_IMPLEMENTED)
        self.transport.write(STATUS_LINE[501] + head + NOT_IMPLEMENTED)
        self.transport.close()
