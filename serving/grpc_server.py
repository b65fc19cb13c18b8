"""Runs the gRPC services. In TensorFlow Serving: model_servers/server.cc."""

import os
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.errors import InvalidArgumentError
from serving.grpc_api import ModelService, PredictionService
from serving.grpc_receiving import Receiving
from serving.health import Health

LARGEST_MESSAGE = (1 << 31) - 1
CANNOT_BIND = "Failed to BuildAndStart gRPC server"


def channel_arguments(text: str) -> list[tuple[str, int | str]]:
    """`k=v,k=v` as gRPC takes it: an int where it parses as int32, else a string; of a repeated key the last counts.

    Raises INVALID_ARGUMENT for an entry without `=`."""
    found: dict[str, int | str] = {}
    for entry in text.split(",") if text else ():
        name, separator, rest = entry.partition("=")
        if not separator:
            raise InvalidArgumentError(
                f"grpc_channel_arguments has the entry {entry!r}; expected name=value,name=value."
            )
        value = rest.partition("=")[0]
        number = int(value) if re.fullmatch(r"[+-]?[0-9]+", value) else None
        found[name] = number if number is not None and -(1 << 31) <= number < 1 << 31 else value
    return list(found.items())


class Service(Protocol):
    """A service of our own."""

    def add_to(self, server: Any) -> None:
        """Offers it on a grpc.Server."""
        ...


class GrpcServer:
    """The services on a TCP port, a UNIX socket, or both."""

    def __init__(
        self,
        prediction: PredictionService,
        model: ModelService,
        *,
        threads: int,
        arguments: Sequence[tuple[str, int | str]] = (),
        credentials: grpc.ServerCredentials | None = None,
        with_health: bool = False,
        interceptors: Sequence[grpc.ServerInterceptor] = (),
        max_concurrent_calls: int = 0,
        max_receive_bytes: int = LARGEST_MESSAGE,
        others: Sequence[Service] = (),
        receive_timeout_seconds: float = 0,
    ) -> None:
        """threads: how many calls run at once; arguments: of the gRPC core; credentials: None for plain connections;
        with_health: offer grpc.health.v1.Health as well; interceptors: see each call before it is read;
        max_concurrent_calls: one beyond is refused at once, 0 for no limit; max_receive_bytes: of one request;
        others: services beside those of the stock server;
        receive_timeout_seconds: how long its message may take to come, 0 for no limit."""
        self._credentials = credentials
        self._receiving = Receiving(receive_timeout_seconds, threads)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="grpc")
        options: list[tuple[str, Any]] = [
            ("grpc.max_receive_message_length", max_receive_bytes),
            ("grpc.max_send_message_length", -1),
            *arguments,
        ]
        self._server = grpc.server(
            self._executor,
            options=options,
            interceptors=[self._receiving, *interceptors],
            maximum_concurrent_rpcs=max_concurrent_calls or None,
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, self._server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(model, self._server)
        for service in others:
            service.add_to(self._server)
        self._health = Health() if with_health else None
        if self._health is not None:
            self._health.add_to(self._server)

    def bind(self, address: str) -> int:
        """Listens on host:port; port 0 takes a free one. Returns the port; raises INVALID_ARGUMENT when it cannot."""
        try:
            port: int = (
                self._server.add_insecure_port(address)
                if self._credentials is None
                else self._server.add_secure_port(address, self._credentials)
            )
        except RuntimeError:
            port = 0
        if not port:
            raise InvalidArgumentError(CANNOT_BIND)
        return port

    def bind_socket(self, path: str) -> None:
        """Listens on a UNIX socket; a file that is there is removed and made anew."""
        if os.path.exists(path):
            os.unlink(path)
        self.bind(f"unix:{path}")

    def start(self) -> None:
        """Begins to answer."""
        self._receiving.start()
        self._server.start()

    def stop(self, grace_seconds: float) -> threading.Event:
        """Takes no new call; the event is set when running ones have ended, or were ended after the grace time."""
        ended: threading.Event = self._server.stop(grace_seconds)
        if self._health is not None:
            self._health.end_watches()
        return ended

    def shutdown(self, wait: bool) -> None:
        """Ends the threads; stop() comes first."""
        self._receiving.stop()
        self._executor.shutdown(wait=wait)
