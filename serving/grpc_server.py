"""Runs the gRPC services. In TensorFlow Serving: model_servers/server.cc."""

import asyncio
import os
import re
import threading
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, Protocol

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving import grpc_loop
from serving.errors import InvalidArgumentError
from serving.grpc_api import ModelService, PredictionService
from serving.grpc_methods import Guard, Methods
from serving.grpc_receiving import Receiving
from serving.health import Health

LARGEST_MESSAGE = (1 << 31) - 1
CANNOT_BIND = "Failed to BuildAndStart gRPC server"
IDLE_MS = 600_000  # as long as an HTTP connection, unless the channel arguments say otherwise


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


def server_arguments(given: Sequence[tuple[str, int | str]], max_receive_bytes: int) -> list[tuple[str, int | str]]:
    """Those of the gRPC core, where what is given counts before what is usual.

    A connection on which no call runs is closed after ten minutes: a client's next call opens another one."""
    usual: dict[str, int | str] = {
        "grpc.max_receive_message_length": max_receive_bytes,
        "grpc.max_send_message_length": -1,
        "grpc.max_connection_idle_ms": IDLE_MS,
    }
    return list({**usual, **dict(given)}.items())


class Service(Protocol):
    """A service of our own."""

    def add_to(self, server: Any) -> None:
        """Offers it on a server."""
        ...


class GrpcServer:
    """The services on a TCP port, a UNIX socket, or both."""

    def __init__(
        self,
        prediction: PredictionService,
        model: ModelService,
        *,
        executor: Executor,
        arguments: Sequence[tuple[str, int | str]] = (),
        credentials: grpc.ServerCredentials | None = None,
        with_health: bool = False,
        guard: Guard | None = None,
        max_concurrent_calls: int = 0,
        max_receive_bytes: int = LARGEST_MESSAGE,
        others: Sequence[Service] = (),
        receive_timeout_seconds: float = 0,
    ) -> None:
        """executor: runs the calls that do not run on the event loop; arguments: of the gRPC core; credentials: None
        for plain connections; with_health: offer grpc.health.v1.Health as well; guard: sees each call before it is
        read; max_concurrent_calls: one beyond is refused at once, 0 for no limit; max_receive_bytes: of one request;
        others: services beside those of the stock server; receive_timeout_seconds: how long a message may take to
        come, 0 for no limit."""
        self._credentials = credentials
        self._receiving = Receiving(receive_timeout_seconds, max_concurrent_calls)
        methods = Methods(self._receiving, executor, guard)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, methods)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(model, methods)
        for service in others:
            service.add_to(methods)
        self._health = Health() if with_health else None
        if self._health is not None:
            self._health.add_to(methods)
        options = server_arguments(arguments, max_receive_bytes)
        self._server = grpc_loop.run(_server(methods, options, max_concurrent_calls or None))

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
        grpc_loop.run(self._start())

    async def _start(self) -> None:
        self._receiving.start(asyncio.get_running_loop())
        await self._server.start()

    def stop(self, grace_seconds: float) -> threading.Event:
        """Takes no new call; the event is set when running ones have ended, or were ended after the grace time."""
        ended = threading.Event()
        stopping = asyncio.run_coroutine_threadsafe(self._stop(grace_seconds), grpc_loop.loop())
        stopping.add_done_callback(lambda _: ended.set())
        return ended

    async def _stop(self, grace_seconds: float) -> None:
        stopping = asyncio.ensure_future(self._server.stop(grace_seconds))
        await asyncio.sleep(0)  # it begins: no watch comes after those that are ended
        if self._health is not None:
            self._health.end_watches()
        await stopping
        self._receiving.stop()


async def _server(methods: Methods, options: Sequence[tuple[str, Any]], most_calls: int | None) -> Any:
    return grpc.aio.server(handlers=[methods], options=options, maximum_concurrent_rpcs=most_calls)
