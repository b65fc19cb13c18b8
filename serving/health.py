"""grpc.health.v1.Health: the server is up. In TensorFlow Serving: model_servers/server.cc.

The status never changes with the states of the models, and the services have the short names of the stock server."""

from collections.abc import Callable
from typing import Any

import grpc

from serving.protos import HealthCheckRequest, HealthCheckResponse

SERVICES = ("", "ModelService", "PredictionService")
SERVING, SERVICE_UNKNOWN = 1, 3


class Health:
    """The service. No thread waits on a watch; all of them end with the server."""

    def __init__(self) -> None:
        self._watches: set[Callable[[Any], None]] = set()

        def watch(request: Any, context: Any, send_response_callback: Callable[[Any], None]) -> None:
            """Sends the status, which never changes, and leaves the stream open."""
            status = SERVING if request.service in SERVICES else SERVICE_UNKNOWN
            self._watches.add(send_response_callback)
            context.add_callback(lambda: self._watches.discard(send_response_callback))
            send_response_callback(HealthCheckResponse(status=status))

        watch.experimental_non_blocking = True  # type: ignore[attr-defined]
        watch.experimental_thread_pool = None  # type: ignore[attr-defined]
        self._watch = watch

    def check(self, request: Any, context: Any) -> Any:
        """SERVING for a service that is there; NOT_FOUND for others."""
        if request.service not in SERVICES:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return HealthCheckResponse(status=SERVING)

    def add_to(self, server: Any) -> None:
        """Offers the service on a grpc.Server."""
        codec = {
            "request_deserializer": HealthCheckRequest.FromString,
            "response_serializer": HealthCheckResponse.SerializeToString,
        }
        handlers = {
            "Check": grpc.unary_unary_rpc_method_handler(self.check, **codec),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch, **codec),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))

    def end_watches(self) -> None:
        """Ends the streams that are open, which would hold up the end of the server."""
        for send_response_callback in list(self._watches):
            send_response_callback(None)
