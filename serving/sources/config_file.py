"""Reads the model configuration file, once or periodically, and hands it on.

In TensorFlow Serving: model_servers/server.cc, PollFilesystemAndReloadConfig."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from serving import text_proto
from serving.clock import Clock
from serving.errors import ServingError
from serving.model_config import ModelServerConfig

log = logging.getLogger(__name__)


class ConfigFileSource:
    """Applies the file at each poll, also when it has not changed: a label that had to wait for its version is
    accepted by a later poll. What fails is only logged, and the models served stay."""

    def __init__(self, path: str, apply: Callable[[Any], None], period_seconds: int, clock: Clock) -> None:
        self._path = path
        self._apply = apply
        self._period_seconds = period_seconds
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="config-file-source", daemon=True)

    def start(self) -> None:
        """Begins to poll: at once, and then after each period."""
        self._thread.start()

    def stop(self, seconds: float | None = None) -> None:
        """Ends the polling. seconds: the longest wait for a read of a disk that does not answer, None for no limit."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def poll(self) -> None:
        """Reads and applies the file once."""
        try:
            config = text_proto.read(self._path, ModelServerConfig)
        except ServingError as error:
            log.error("Failed to read ModelServerConfig file: %s", error.message)
            return
        try:
            self._apply(config)
        except ServingError as error:
            log.error("PollFilesystemAndReloadConfig failed to ReloadConfig: %s", error.message)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.poll()
            if self._period_seconds <= 0 or self._clock.wait(self._stop, self._period_seconds * 1_000_000):
                return
