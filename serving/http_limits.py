"""How much an HTTP client may send, and how long it may take, in requests and on connections.

TensorFlow Serving has no such limits. They hold for whoever can open a connection, with or without a token."""

import asyncio
import sys
from dataclasses import dataclass
from typing import Protocol

from serving.errors import ResourceExhaustedError
from serving.options import ServerOptions

SWEEP_SECONDS = 1.0  # between two looks at the connections: one timer for all, a request costs none
LINGER_SECONDS = 5.0  # a refused client that still sends finds its answer in this time, unread input would reset it
SLOWEST_BYTES_PER_SECOND = 1 << 14  # so much longer a large request may take


class Swept(Protocol):
    """A connection that is looked at now and then."""

    def sweep(self, now: float) -> None:
        """Ends what took too long; now: of the event loop's clock, in seconds."""
        ...


@dataclass(frozen=True)
class HttpLimits:
    """The limits; what is 0 in the options is endless here."""

    max_body_bytes: float
    max_header_bytes: float
    receive_timeout_seconds: float
    keep_alive_seconds: float

    @classmethod
    def of(cls, options: ServerOptions) -> "HttpLimits":
        """Those that the flags set."""
        return cls(
            options.rest_api_max_body_bytes or float("inf"),
            options.rest_api_max_header_bytes or float("inf"),
            options.rest_api_receive_timeout_seconds or float("inf"),
            options.rest_api_keep_alive_seconds or float("inf"),
        )


class Connections:
    """Those of one event loop that are open. Swept while there are any."""

    def __init__(self) -> None:
        self._open: set[Swept] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Swept, loop: asyncio.AbstractEventLoop) -> None:
        """From now on it is swept."""
        self._open.add(connection)
        if self._timer is None:
            self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop)

    def discard(self, connection: Swept) -> None:
        """It is closed."""
        self._open.discard(connection)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self._open):
            connection.sweep(now)
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if self._open else None


class Concurrency:
    """How many calls run at once, on one event loop; used as `with`. One beyond is refused at once: it would wait for
    all the others, and its client, tired of waiting, would ask again."""

    def __init__(self, most: int) -> None:
        """most: 0 for no limit."""
        self._most = most or sys.maxsize
        self.running = 0

    @property
    def is_full(self) -> bool:
        """Whether one more would be refused."""
        return self.running >= self._most

    def enter(self) -> None:
        """One more; raises RESOURCE_EXHAUSTED when there are enough."""
        if self.is_full:
            raise ResourceExhaustedError(
                f"{self._most} requests are being answered, which is the limit; ask again later"
            )
        self.running += 1

    def leave(self) -> None:
        """One has ended."""
        self.running -= 1

    def __enter__(self) -> None:
        self.enter()

    def __exit__(self, *_: object) -> None:
        self.leave()
