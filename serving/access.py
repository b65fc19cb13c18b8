"""Asks every call for its token, in front of either face; not there at all without --auth_tokens_file.

Health checks are open: who probes a port carries no token, and learns only that the server is up. So are the
questions of browsers before a call (OPTIONS), which cannot carry one."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from serving.auth_tokens import AuthTokens
from serving.errors import Code, ServingError
from serving.grpc_api import GRPC_STATUS, shortened
from serving.http_body import Scope
from serving.http_codes import HTTP_STATUS
from serving.observing import Observer
from serving.observing.request_id import HEADER as REQUEST_ID
from serving.rest_api import CORS, JSON, error_body
from serving.server_metrics import ServerMetrics

log = logging.getLogger(__name__)
OPEN = "/grpc.health.v1.Health/"
ADMIN = frozenset(["/tensorflow.serving.ModelService/HandleReloadConfigRequest"])
HEADER = "authorization"
CHALLENGE = 'Bearer realm="model server"'  # RFC 6750, 3
WITH_AUTHORIZATION = [
    (name, value + b", Authorization" if name == b"access-control-allow-headers" else value) for name, value in CORS
]


class GrpcGuard:
    """In front of the gRPC services."""

    def __init__(self, tokens: AuthTokens, metrics: ServerMetrics, observer: Observer) -> None:
        self._tokens = tokens
        self._metrics = metrics
        self._observer = observer

    def refusing(self, details: Any) -> Any:
        """A handler that refuses the call without reading its message; None where it may pass."""
        error = self._refusal(details)
        return None if error is None else self._refusing(error, details.method)

    def _refusal(self, details: Any) -> ServingError | None:
        """Why the call is refused; None when it is not."""
        if details.method.startswith(OPEN):
            return None
        given = [_text(value) for name, value in details.invocation_metadata if name == HEADER]
        try:
            if details.method in ADMIN:
                caller = self._tokens.admin(given)
                log.info("%s calls %s", caller.name, details.method)
            else:
                self._tokens.caller(given)
        except ServingError as error:
            self._metrics.answered("", error.code.name, "", "GRPC", 0)
            return error
        return None

    def _refusing(self, error: ServingError, method: str) -> Any:
        """A handler for streams: it begins before the message has come, which may be large, or never come."""

        async def refuse(_: Any, context: Any) -> None:
            with self._observer.grpc(method.rpartition("/")[2], context) as seen:
                seen.failed(error)
                if error.code is Code.UNAUTHENTICATED:
                    context.set_trailing_metadata(((REQUEST_ID, seen.id), ("www-authenticate", CHALLENGE)))
                await context.abort(GRPC_STATUS[error.code], shortened(error.message))

        return grpc.stream_stream_rpc_method_handler(refuse)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class HttpGuard:
    """In front of the REST application. None of its calls wants an admin."""

    def __init__(
        self, application: Any, tokens: AuthTokens, metrics: ServerMetrics, observer: Observer, cors: bool
    ) -> None:
        """cors: refusals carry the headers for browsers as well."""
        self._application = application
        self._tokens = tokens
        self._metrics = metrics
        self._observer = observer
        self._cors = WITH_AUTHORIZATION if cors else []

    async def __call__(self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        """One request: passed on, or refused before its body is read."""
        if scope.get("method") == "OPTIONS":
            await self._application(scope, receive, self._allowing(send))
            return
        try:
            self._tokens.caller(
                [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
            )
        except ServingError as error:
            with self._observer.rest(scope["headers"]) as seen:
                seen.failed(error)
                seen.answered(HTTP_STATUS[error.code])
            await self._refuse(error, seen.header, send)
            return
        await self._application(scope, receive, send)

    async def _refuse(self, error: ServingError, request_id: tuple[bytes, bytes], send: Callable[[Any], Any]) -> None:
        self._metrics.answered("", error.code.name, "", "REST", 0)
        body = error_body(error)
        headers = [JSON, *self._cors, request_id, (b"content-length", str(len(body)).encode())]
        if error.code is Code.UNAUTHENTICATED:
            headers.append((b"www-authenticate", CHALLENGE.encode()))
        await send({"type": "http.response.start", "status": HTTP_STATUS[error.code], "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _allowing(self, send: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Tells browsers that the call that follows may carry a token."""

        async def with_authorization(message: Any) -> None:
            if self._cors and message["type"] == "http.response.start":
                others = [pair for pair in message["headers"] if pair not in CORS]
                message = message | {"headers": [*others, *self._cors]}
            await send(message)

        return with_authorization
