"""One version in the manager's hands: its load with retries, its calls that run, its unload.

In TensorFlow Serving: core/loader_harness.cc."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from serving.clock import Clock
from serving.errors import InternalError, ServingError
from serving.version_policy import Snapshot, Stage

log = logging.getLogger(__name__)


class Loaded(Protocol):
    """What a loader gives back: something that can be closed."""

    def close(self) -> None:
        """Frees what it holds; nothing runs on it any more."""
        ...


Loader = Callable[[str, int, str], Loaded]  # (model name, version, folder)


@dataclass(frozen=True)
class Retries:
    """How often, and how far apart, a load is tried again."""

    number: int = 5
    interval_micros: int = 60_000_000


class Harness:
    """One version of one model."""

    def __init__(self, name: str, version: int, folder: str) -> None:
        self.name = name
        self.version = version
        self.folder = folder
        self.stage = Stage.NEW
        self.wanted = True
        self.draining_since: int | None = None  # moment from which it stays only for what still needs it
        self.loaded: Any = None  # a Loaded; None before its load, and after its unload
        self.given_up = threading.Event()  # set when it is not wanted any more: ends the waits between two tries
        self._running = 0
        self._idle = threading.Condition()

    def __str__(self) -> str:
        return f"{{name: {self.name} version: {self.version}}}"

    @property
    def is_draining(self) -> bool:
        """Whether it is given up, but still answers calls."""
        return self.draining_since is not None and self.stage is Stage.READY

    @property
    def is_taken_up(self) -> bool:
        """Whether it is to be loaded only for what still needs it, and is not yet."""
        return self.draining_since is not None and self.stage in (Stage.NEW, Stage.LOADING)

    def snapshot(self) -> Snapshot:
        """What a policy sees of it."""
        return Snapshot(self.version, self.stage, self.wanted)

    def load(self, loader: Loader, retries: Retries, clock: Clock) -> None:
        """Loads, and tries again as the retries say; raises the last try's ServingError."""
        for tries_left in reversed(range(max(retries.number, 0) + 1)):
            try:
                self.loaded = loader(self.name, self.version, self.folder)
                return
            except ServingError as error:
                failure = error
            except Exception as error:
                log.exception("Loading %s raised", self)
                failure = InternalError(f"{type(error).__name__}: {error}")
            log.error("Loading servable: %s failed: %s (tries left: %d)", self, failure.status, tries_left)
            if tries_left and retries.interval_micros > 0:
                clock.wait(self.given_up, retries.interval_micros)
            if not tries_left or self.given_up.is_set():
                raise failure

    def enter(self) -> None:
        """A call begins to use it."""
        with self._idle:
            self._running += 1

    def leave(self) -> None:
        """The call has ended."""
        with self._idle:
            self._running -= 1
            if not self._running:
                self._idle.notify_all()

    def close_when_idle(self, timeout_seconds: float | None = None) -> bool:
        """Waits until no call uses it, then frees it; nobody may enter any more. Says whether it was freed in time."""
        with self._idle:
            if not self._idle.wait_for(lambda: not self._running, timeout_seconds):
                return False
        if self.loaded is not None:
            self.loaded.close()
            self.loaded = None
        return True
