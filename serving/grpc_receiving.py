"""How long a gRPC caller may take to send its message.

gRPC's server gives a call a thread when its headers have come, and waits there for the message, without limit: so many
callers that send none as there are threads, and nobody is answered any more. Here the wait has a bound. In TensorFlow
Serving no thread waits for a message."""

import threading
import time
from collections.abc import Callable
from typing import Any

import grpc

SWEEP_SECONDS = 1.0  # between two looks at those who wait
BUSY_SECONDS = 5.0  # the bound while every thread waits
NO_MESSAGE = "Exception deserializing request!"  # gRPC's own texts
OF_BEHAVIOUR = ("experimental_thread_pool", "experimental_non_blocking")  # how gRPC is to run it
MISSING = '"{}" requires exactly one request message.'


class Receiving(grpc.ServerInterceptor):
    """In front of the gRPC services. A call whose message has not come in time is ended with CANCELLED."""

    def __init__(self, seconds: float, threads: int, now: Callable[[], float] = time.monotonic) -> None:
        """seconds: the bound, 0 for none; threads: those of the server; now: a clock that never jumps."""
        self._seconds = seconds or float("inf")
        self._threads = threads
        self._now = now
        self._waiting: dict[Any, float] = {}  # context of a call -> since when
        self._handlers: dict[Any, Any] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="grpc-receiving", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the looking."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """The handler of the call, but for the wait for its message."""
        handler = continuation(details)
        if handler is None or handler.request_streaming:
            return handler
        found = self._handlers.get(handler)
        if found is None:
            found = self._handlers[handler] = self._receiving(handler, details.method)
        return found

    def _receiving(self, handler: Any, method: str) -> Any:
        """To gRPC it is a handler of a stream of messages as bytes, of which it takes the first."""
        answer, decode = handler.unary_unary or handler.unary_stream, handler.request_deserializer

        def call(messages: Any, context: Any, *callback: Any) -> Any:
            self._waiting[context] = self._now()
            try:
                content = next(messages, None)
            finally:
                del self._waiting[context]
            if content is None:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, MISSING.format(method))
            try:
                request = decode(content)
            except Exception:
                context.abort(grpc.StatusCode.INTERNAL, NO_MESSAGE)
            return answer(request, context, *callback)

        for name in OF_BEHAVIOUR:
            if hasattr(answer, name):
                setattr(call, name, getattr(answer, name))
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(call, None, handler.response_serializer)
        return grpc.stream_unary_rpc_method_handler(call, None, handler.response_serializer)

    def sweep(self) -> None:
        """Ends the calls that have waited for too long."""
        waiting = dict(self._waiting)
        bound = min(self._seconds, BUSY_SECONDS) if len(waiting) >= self._threads else self._seconds
        now = self._now()
        for context, since in waiting.items():
            if now - since > bound:
                context.cancel()

    def _run(self) -> None:
        while not self._stop.wait(SWEEP_SECONDS):
            self.sweep()
