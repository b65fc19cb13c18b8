"""OpenTelemetry traces: a span for each request, over OTLP, as the OTEL_ variables say.

The packages are those of the extra `trace`; where they are absent, or no variable names an endpoint, nothing is sent.
Environment: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables."""

import logging
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

from serving.errors import Code
from serving.observing.request import Request

log = logging.getLogger(__name__)
HEADERS = ("traceparent", "tracestate")  # https://www.w3.org/TR/trace-context
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP = "http/protobuf"
FLUSH_SECONDS = 2.0  # longest that the end of the server waits for spans to be sent
OF_THE_SERVER = {
    *(Code.UNKNOWN, Code.DEADLINE_EXCEEDED, Code.UNIMPLEMENTED, Code.INTERNAL, Code.UNAVAILABLE, Code.DATA_LOSS)
}  # the codes that OpenTelemetry's conventions for a server call errors; others are the caller's


def asked_for(environment: Mapping[str, str]) -> bool:
    """Whether the variables ask for traces: an endpoint, or the exporter by its name."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    return exporter == "otlp" or (not exporter and any(environment.get(name) for name in ENDPOINTS))


def tracer() -> "Tracer | None":
    """The Tracer that the environment asks for; None without one. Packages that are absent are logged once."""
    if not asked_for(os.environ):
        return None
    protocol = next((os.environ[name] for name in PROTOCOLS if os.environ.get(name)), HTTP)
    if protocol != HTTP:
        log.warning("No traces: OTEL_EXPORTER_OTLP_PROTOCOL is %r; this server sends %s", protocol, HTTP)
        return None
    try:
        return Tracer()
    except ImportError as error:
        log.warning("No traces, though OTEL_ variables ask for them: %s. Install the extra `trace`.", error)
        return None


class Tracer:
    """Makes the span of each request and hands it to OpenTelemetry's own thread, which sends them in batches."""

    def __init__(self) -> None:
        """Raises ImportError where a package is absent."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        named = "OTEL_SERVICE_NAME" in os.environ or "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        resource = Resource.create({} if named else {"service.name": "seqzoo"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("seqzoo.serving")
        self._context_of = TraceContextTextMapPropagator().extract
        self._kind = SpanKind.SERVER
        self._error = lambda text: Status(StatusCode.ERROR, text)

    def span(self, request: Request, fields: Mapping[str, Any], seconds: float) -> dict[str, str]:
        """Records the span of a request that has ended; returns what a log line says of it: the trace's id.

        It is made at the end, from the monotonic clock's seconds: a clock that jumps meanwhile does not stretch it."""
        end = time.time_ns()
        span = self._tracer.start_span(
            f"{request.face} {request.call}",
            context=self._context_of(request.traced),
            kind=self._kind,
            attributes={f"seqzoo.{name}": value for name, value in fields.items() if name not in ("ms", "error")},
            start_time=end - int(seconds * 1e9),
        )
        if request.status in OF_THE_SERVER:
            span.set_status(self._error(request.error))
        span.end(end)
        return {"trace_id": f"{span.get_span_context().trace_id:032x}"}

    def stop(self) -> None:
        """Sends what waits, for two seconds at most; what is left then is lost.

        In a thread, since the exporter takes no limit and tries for up to a minute where nobody listens."""
        sending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        sending.start()
        sending.join(FLUSH_SECONDS)
