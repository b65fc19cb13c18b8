"""seqzoo.serving.TextService: text as a stream of messages. `text.proto` beside this file describes it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from serving.errors import DeadlineExceededError, InternalError, InvalidArgumentError, ServingError
from serving.grpc_api import GRPC_STATUS, remaining_ms, shortened
from serving.grpc_messages import model_spec
from serving.log import log_unexpected
from serving.observing import Observer, Request
from serving.protos import GenerateRequest, GenerateResponse
from serving.sequences.patience import LATE
from serving.server_metrics import ServerMetrics
from serving.streams.asking import Asked
from serving.streams.events import GONE, Done, Event, Failed, Outbox, Token
from serving.streams.rest import API
from serving.streams.streams import Streams

SERVICE = "seqzoo.serving.TextService"
MOST_AT_ONCE = 512  # streams; each has a thread of its own, so that none waits for the threads of other calls
SENT_MS = 50  # about as long as a call is under way to the server, and its end behind it
TOO_LATE = DeadlineExceededError(LATE)
PLAIN = ("prompt", "max_tokens", "temperature", "top_k", "seed", "keep")


class TextService:
    """The service."""

    def __init__(self, streams: Streams, metrics: ServerMetrics, observer: Observer) -> None:
        self._streams = streams
        self._metrics = metrics
        self._observer = observer

        def generate(request: Any, context: Any) -> Iterator[Any]:
            return self._generate(request, context)

        generate.experimental_thread_pool = ThreadPoolExecutor(  # type: ignore[attr-defined]
            MOST_AT_ONCE, thread_name_prefix="grpc-text"
        )
        self._handler = grpc.unary_stream_rpc_method_handler(
            generate,
            request_deserializer=GenerateRequest.FromString,
            response_serializer=GenerateResponse.SerializeToString,
        )

    def add_to(self, server: Any) -> None:
        """Offers the service on a grpc.Server."""
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Generate": self._handler}),))

    def _generate(self, request: Any, context: Any) -> Iterator[Any]:
        """The responses of one stream."""
        start = time.perf_counter()
        failure: ServingError = GONE  # unless it comes to its end
        ended = False
        with self._observer.grpc("Generate", context) as seen:
            try:
                yield from self._responses(request, context, seen)
                ended = True
                return
            except ServingError as error:
                failure = error
            except Exception as error:
                log_unexpected(error)
                failure = InternalError(f"{type(error).__name__}: {error}")
            finally:
                if not ended:
                    seen.failed(failure)
                status, seconds = seen.status.name, time.perf_counter() - start
                self._metrics.answered(request.model_spec.name, status, API, "GRPC", seconds)
            context.abort(GRPC_STATUS[failure.code], shortened(failure.message))

    def _responses(self, request: Any, context: Any, seen: Request) -> Iterator[Any]:
        spec = seen.spec = model_spec(request)
        changed = threading.Event()
        outbox = Outbox(changed.set)
        timeout_ms = remaining_ms(context)

        def over() -> None:
            outbox.close(TOO_LATE if is_late(context, timeout_ms) else self._streams.why_gone())

        context.add_callback(over)
        try:
            self._streams.open(spec, asked_of(request), outbox, timeout_ms)
            while True:
                changed.clear()
                for event in outbox.take():
                    if isinstance(event, Failed):
                        raise event.error
                    yield response(event)
                    if isinstance(event, Done):
                        return
                if outbox.closed is not None:
                    raise outbox.closed
                changed.wait()
        finally:
            over()


def is_late(context: Any, timeout_ms: int | None) -> bool:
    """Whether a call that has ended, and had so much time, was ended by its deadline.

    The client looks at its own clock and ends it a little before the server would: gRPC rounds the time that it sends
    up, by a hundredth at most."""
    left = remaining_ms(context)
    return left is not None and timeout_ms is not None and left <= timeout_ms / 50 + SENT_MS


def asked_of(request: Any) -> Asked:
    """What a message asks for; raises INVALID_ARGUMENT."""
    values: dict[str, Any] = {key: getattr(request, key) for key in PLAIN if request.HasField(key)}
    if request.stop:
        values["stop"] = list(request.stop)
    if request.HasField("sequence_number") and request.HasField("sequence_name"):
        raise InvalidArgumentError("generate_stream: sequence_number and sequence_name are given; expected one")
    for field in ("sequence_number", "sequence_name"):
        if request.HasField(field):
            values["sequence_id"] = getattr(request, field)
    return Asked.of(values)


def response(event: Event) -> Any:
    """The message of an event that is no error."""
    if isinstance(event, Token):
        return GenerateResponse(text=event.text, index=event.index)
    assert isinstance(event, Done)
    found = GenerateResponse(done=True, tokens=event.tokens, finish_reason=event.finish_reason)
    if isinstance(event.sequence_id, int):
        found.sequence_number = event.sequence_id
    elif event.sequence_id is not None:
        found.sequence_name = event.sequence_id
    return found
