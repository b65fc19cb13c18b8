"""The leases that this server has on sequences of a shared store: renewed while its calls run."""

import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from serving.clock import Clock
from serving.sequences.store import Key

RENEWALS = 3  # in the time of a lease


class Lease(NamedTuple):
    """A sequence that this server may write."""

    token: bytes  # fencing number and server
    since_micros: int  # by this server's clock


class Leases:
    """Those that are held now; a thread has the older ones renewed."""

    def __init__(self, seconds: float, clock: Clock, renew: Callable[[Mapping[Key, Lease]], None]) -> None:
        """seconds: until a lease runs out; renew: asks the store for some more time."""
        self._pause_micros = int(seconds * 1e6 / RENEWALS)
        self._clock = clock
        self._renew = renew
        self._held: dict[Key, Lease] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sequence-leases", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it, and those who wait for a lease."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def add(self, key: Key, token: bytes) -> None:
        """The store has given a lease."""
        with self._lock:
            self._held[key] = Lease(token, self._clock.micros())

    def token(self, key: Key) -> bytes | None:
        """What a write shows; None without a lease."""
        lease = self._held.get(key)
        return None if lease is None else lease.token

    def drop(self, key: Key) -> bytes | None:
        """It is given back, or lost; what it was."""
        with self._lock:
            lease = self._held.pop(key, None)
        return None if lease is None else lease.token

    def pause(self, micros: int) -> bool:
        """Waits before the next try; False when the server ends."""
        return not self._clock.wait(self._stopping, micros)

    def _work(self) -> None:
        while not self._clock.wait(self._stopping, self._pause_micros):
            before = self._clock.micros() - self._pause_micros
            with self._lock:
                old = {key: lease for key, lease in self._held.items() if lease.since_micros <= before}
            if old:
                self._renew(old)
