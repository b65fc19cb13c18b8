"""Runs the REST application on uvicorn, in a thread of its own.

uvicorn brings the event loop, HTTP/1.1 with httptools, keep-alive and pipelining."""

import socket
import ssl
import sys
import threading
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

BACKLOG = 1024
NOT_IMPLEMENTED = b"<html><head><title>501 Not Implemented</title></head><body><h1>Not Implemented</h1></body></html>\n"


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with the stock server's answer to a method that HTTP does not know."""

    def send_400_response(self, msg: str) -> None:
        """Called while the parser's error is being handled."""
        if not isinstance(sys.exc_info()[1], httptools.HttpParserInvalidMethodError):
            super().send_400_response(msg)
            return
        head = b"content-type: text/html\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(NOT_IMPLEMENTED)
        self.transport.write(STATUS_LINE[501] + head + NOT_IMPLEMENTED)
        self.transport.close()


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
        self, application: Any, sock: socket.socket, grace_seconds: int, context: ssl.SSLContext | None = None
    ) -> None:
        """grace_seconds: how long running requests may take to end after stop(); context: of TLS, None for plain
        connections."""
        self.port: int = sock.getsockname()[1]
        self._socket = sock
        config = uvicorn.Config(
            application,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=600,
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

    def stop(self) -> None:
        """Takes no new connection, lets running requests end, then closes."""
        self._server.should_exit = True
        self._thread.join()
