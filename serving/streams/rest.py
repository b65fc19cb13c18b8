"""Text as server-sent events: the route `:generate_stream`, in front of the REST application.

https://html.spec.whatwg.org/multipage/server-sent-events.html"""

import asyncio
import contextvars
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any

from serving import http_body
from serving.errors import CancelledError, Code, DeadlineExceededError, InternalError, ServingError
from serving.http_body import Scope
from serving.http_codes import status_of
from serving.http_limits import Concurrency
from serving.log import log_unexpected
from serving.observing import Observer, Request
from serving.rest_api import JSON, RestApi, error_body
from serving.rest_routes import stream_route
from serving.sequences.patience import LATE
from serving.server_metrics import ServerMetrics
from serving.streams import asking
from serving.streams.events import GONE, Done, Event, Failed, Outbox, Token
from serving.streams.streams import Streams

API = "generate_stream"
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
NO_CACHE = (b"cache-control", b"no-cache")
PING = b": ping\n\n"
PING_SECONDS = 15.0
SEND_SECONDS = 60.0  # a client that takes nothing for so long has gone
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class StreamingApi:
    """An ASGI application: streams are its own, all else is the REST application's."""

    def __init__(
        self,
        api: RestApi,
        streams: Streams,
        executor: Executor,
        metrics: ServerMetrics,
        observer: Observer,
        *,
        timeout_in_ms: int = 30_000,
        cors: tuple[tuple[bytes, bytes], ...] = (),
        ping_seconds: float = PING_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        """executor: prompts run there; timeout_in_ms: the longest that a step may take, <= 0 for no limit; cors: the
        headers for browsers; ping_seconds: without an event, until a comment is sent; send_seconds: until a client
        that takes nothing counts as gone."""
        self._api = api
        self._streams = streams
        self._executor = executor
        self._metrics = metrics
        self._observer = observer
        self._at_once: Concurrency = api.at_once
        self._timeout_ms = timeout_in_ms if timeout_in_ms > 0 else None
        self._cors = cors
        self._ping_seconds = ping_seconds
        self._send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        target = http_body.target_of(scope) if scope["type"] == "http" else ""
        if not target.endswith(f":{API}"):
            await self._api(scope, receive, send)
            return
        refused: ServingError | None = None
        spec = None
        try:
            spec = stream_route(scope["method"], target)
        except ServingError as error:
            refused = error
        if spec is None and refused is None:
            await self._api(scope, receive, send)
            return
        with self._observer.rest(scope["headers"]) as seen:
            seen.call, seen.spec = API, spec
            start = time.perf_counter()
            body = await http_body.read(receive)
            if body is None:
                seen.failed(CancelledError("the client has gone before its request was read"))
                return
            answer = _Answer(scope, receive, send, seen, self._cors, self._send_seconds)
            try:
                if refused is not None:
                    raise refused
                with self._at_once:
                    await self._stream(answer, spec, body)
            except ServingError as error:
                await answer.fail(error)
            except Exception as error:
                log_unexpected(error)
                await answer.fail(InternalError(f"{type(error).__name__}: {error}"))
            finally:
                model = "" if spec is None else spec.name
                self._metrics.answered(model, seen.status.name, API, "REST", time.perf_counter() - start)

    async def _stream(self, answer: "_Answer", spec: Any, body: bytes) -> None:
        """Sends the events of one stream, as its client takes them."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        outbox = Outbox(lambda: _set(loop, changed))

        def gone() -> None:
            outbox.close(self._streams.why_gone())

        watching = asyncio.create_task(answer.watch(gone))
        try:
            await self._open(answer, spec, body, outbox)
            await answer.begin()
            while not answer.ended:
                events = outbox.take()
                if events:
                    await answer.send(events)
                elif outbox.closed is not None:
                    raise outbox.closed
                else:
                    await self._wait(answer, outbox, changed)
        except Exception as error:
            outbox.close(error if isinstance(error, ServingError) else InternalError(str(error)))
            raise
        finally:
            gone()
            watching.cancel()

    async def _open(self, answer: "_Answer", spec: Any, body: bytes, outbox: Outbox) -> None:
        """Runs the prompt on a thread of the executor."""

        def opened() -> None:
            asked = asking.from_json(http_body.unpacked(answer.scope, body))
            self._streams.open(spec, asked, outbox, self._timeout_ms)

        in_context = contextvars.copy_context().run  # the thread knows the request that it works for
        running = asyncio.get_running_loop().run_in_executor(self._executor, in_context, opened)
        try:
            await asyncio.wait_for(running, None if self._timeout_ms is None else self._timeout_ms / 1000)
        except TimeoutError:
            raise DeadlineExceededError(LATE) from None

    async def _wait(self, answer: "_Answer", outbox: Outbox, changed: asyncio.Event) -> None:
        """Until there is something to look at; a comment goes out now and then. Raises DEADLINE_EXCEEDED when a step
        takes too long."""
        changed.clear()
        if not outbox.empty or outbox.closed is not None:
            return
        waited = 0.0
        limit = float("inf") if self._timeout_ms is None else self._timeout_ms / 1000
        while True:
            seconds = min(self._ping_seconds, limit - waited)
            try:
                async with asyncio.timeout(seconds):
                    await changed.wait()
                return
            except TimeoutError:
                waited += seconds
            if waited >= limit:
                raise DeadlineExceededError(LATE)
            await answer.ping()


class _Answer:
    """What goes back to one client."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        seen: Request,
        cors: tuple[tuple[bytes, bytes], ...],
        send_seconds: float,
    ) -> None:
        self.scope = scope
        self.ended = False
        self._send_seconds = send_seconds
        self._stuck = False  # its client takes nothing
        self._receive = receive
        self._send = send
        self._seen = seen
        self._cors = cors
        self._begun = False

    async def watch(self, gone: Callable[[], None]) -> None:
        """Tells when the client goes."""
        while True:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                gone()
                return

    async def begin(self) -> None:
        """The head."""
        self._begun = True
        self._seen.answered(200)
        headers = [EVENTS, NO_CACHE, *self._cors, self._seen.header]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def send(self, events: list[Event]) -> None:
        """Events, in one piece; waits when the client does not take what was sent."""
        last = events[-1]
        self.ended = not isinstance(last, Token)
        if isinstance(last, Failed):
            self._seen.failed(last.error)
        await self._body(b"".join(map(encoded, events)), more=not self.ended)

    async def ping(self) -> None:
        """A comment, by which both ends see that the connection stands."""
        await self._body(PING, more=True)

    async def fail(self, error: ServingError) -> None:
        """The end with an error: with its HTTP status, or as the last event."""
        self._seen.failed(error)
        if self._stuck:
            return
        if self._begun:
            await self._body(encoded(Failed(error)), more=False)
            return
        self._begun = True
        status, content = status_of(error), error_body(error)
        self._seen.answered(status)
        headers = [JSON, *self._cors, self._seen.header, (b"content-length", str(len(content)).encode())]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._body(content, more=False)

    async def _body(self, content: bytes, more: bool) -> None:
        try:
            async with asyncio.timeout(self._send_seconds):
                await self._send({"type": "http.response.body", "body": content, "more_body": more})
        except TimeoutError:
            self._stuck = True
            raise GONE from None


def encoded(event: Event) -> bytes:
    """An event as the line that stands for it."""
    match event:
        case Token(text, index):
            fields: dict[str, Any] = {"text": text, "index": index}
        case Done(tokens, reason, sequence_id):
            fields = {"done": True, "tokens": tokens, "finish_reason": reason}
            if sequence_id is not None:
                fields["sequence_id"] = sequence_id
        case Failed(error):
            fields = {"error": error.message, "code": Code(error.code).name}
    content = json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return f"data: {content}\n\n".encode()


def _set(loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
    """Sets an event of the loop, from any thread."""
    if changed.is_set():
        return
    try:
        loop.call_soon_threadsafe(changed.set)
    except RuntimeError:  # the loop has ended, and its clients with it
        return
