"""Runs the REST application on uvicorn, in a thread of its own.

uvicorn brings the event loop, HTTP/1.1 with httptools, keep-alive and pipelining."""

import asyncio
import socket
import ssl
import threading
from functools import partial
from typing import Any, cast

import uvicorn

from serving.http_limits import Connections, HttpLimits
from serving.http_protocol import Protocol
from serving.rest_joined import JoinedPredict

BACKLOG = 1024
KEEP_ALIVE_SECONDS = 86_400  # uvicorn's own limit: ours, which sees more, comes first


def bind(port: int, host: str = "") -> socket.socket:
    """A listening socket on the host's first address; without a host on [::]:port for both IP versions, or on 0.0.0.0
    where there is no IPv6. Raises OSError.

    The protocol is named: asyncio turns Nagle's algorithm off only for a socket that says it is TCP, and with it on an
    answer waits 40 ms for the client's delayed acknowledgement."""
    sock, address = _anywhere(port) if not host else _at(host, port)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _anywhere(port: int) -> tuple[socket.socket, Any]:
    try:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return sock, ("::", port)
    except OSError:
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP), ("0.0.0.0", port)


def _at(host: str, port: int) -> tuple[socket.socket, Any]:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return socket.socket(family, kind, socket.IPPROTO_TCP), address


class HttpServer:
    """The application behind a bound socket."""

    def __init__(
        self,
        application: Any,
        sock: socket.socket,
        grace_seconds: int,
        *,
        limits: HttpLimits,
        context: ssl.SSLContext | None = None,
        joined: JoinedPredict | None = None,
    ) -> None:
        """grace_seconds: how long running requests may take to end after stop(); limits: of requests and
        connections; context: of TLS, None for plain connections; joined: takes requests in front of the application."""
        protocol = partial(Protocol, limits=limits, open_connections=Connections(), joined=joined)
        self.port: int = sock.getsockname()[1]
        self._socket = sock
        config = uvicorn.Config(
            application,
            http=cast(type[asyncio.Protocol], protocol),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nobody asks where a request comes from
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=grace_seconds,
        )
        config.load()
        config.ssl = context
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [sock]}, name="http-server", daemon=True
        )

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self, seconds: float | None = None) -> None:
        """Takes no new connection, lets running requests end, for the grace time at most, then closes. seconds: how
        long it waits for that, None for no limit."""
        self._server.should_exit = True
        self._thread.join(seconds)
