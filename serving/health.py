"""grpc.health.v1.Health: the server is up. In TensorFlow Serving: model_servers/server.cc.

The status never changes with the states of the models, and the services have the short names of the stock server."""

import asyncio
from typing import Any

import grpc

from serving.protos import HealthCheckRequest, HealthCheckResponse

SERVICES = ("", "ModelService", "PredictionService")
SERVING, SERVICE_UNKNOWN = 1, 3


class Health:
    """The service, on the event loop: no thread waits on a watch. All watches end with the server."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()

    async def check(self, request: Any, context: Any) -> Any:
        """SERVING for a service that is there; NOT_FOUND for others."""
        if request.service not in SERVICES:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return HealthCheckResponse(status=SERVING)

    async def watch(self, request: Any, context: Any) -> None:
        """Sends the status, which never changes, and leaves the stream open."""
        await context.write(HealthCheckResponse(status=SERVING if request.service in SERVICES else SERVICE_UNKNOWN))
        await self._ended.wait()

    def add_to(self, server: Any) -> None:
        """Offers the service on a server."""
        codec = {
            "request_deserializer": HealthCheckRequest.FromString,
            "response_serializer": HealthCheckResponse.SerializeToString,
        }
        handlers = {
            "Check": grpc.unary_unary_rpc_method_handler(self.check, **codec),
            "Watch": grpc.unary_stream_rpc_method_handler(self.watch, **codec),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))

    def end_watches(self) -> None:
        """Ends the streams that are open, which would hold up the end of the server; on the event loop."""
        self._ended.set()
