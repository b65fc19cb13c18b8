"""Applies configurations, the first one and those that come later, and waits for the models that are new.

In TensorFlow Serving: model_servers/server_core.cc, ServerCore::ReloadConfig."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from serving import model_config
from serving.errors import CancelledError, Code, FailedPreconditionError, InvalidArgumentError, ServingError
from serving.labels import Labels
from serving.manager import Manager
from serving.model_config import ModelConfig
from serving.sources.folders import FolderSource

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.5  # between two looks whether the caller of a reload that waits is still there


class ServerCore:
    """Which configuration is in force. One reload at a time; others wait."""

    def __init__(self, manager: Manager, source: FolderSource, labels: Labels) -> None:
        self.manager = manager
        self.labels = labels
        self._source = source
        self._config: Any = None
        self._models: Sequence[ModelConfig] = ()
        self._reloading = threading.Lock()
        self._stopping = False

    def start(self, config: Any) -> None:
        """Applies the first configuration."""
        self.reload(config, what="servable")

    def reload(self, config: Any, what: str = "model", gone: Callable[[], bool] = lambda: False) -> None:
        """Applies a ModelServerConfig; returns when each name that is new has a version that is AVAILABLE.

        gone: whether the caller has gone; nothing is waited for then, what is applied stays so.
        Raises ServingError with TensorFlow Serving's text. After FAILED_PRECONDITION for a label everything is as
        before; after UNKNOWN, for a new model that failed to load, the configuration is in force."""
        with self._turn(gone):
            self._check_kind(config)
            if not config.HasField("model_config_list"):
                self._config = config
                return
            models = model_config.models(config)
            model_config.check_platform_changes(self._models, models)
            self.labels.replace(models)
            model_config.check_platforms(models)
            new = sorted({m.name for m in models} - {m.name for m in self._models})
            self._config, self._models = config, models
            since = self.manager.states.moment()
            self._source.update(models)
            self._wait_for(new, since, what, gone)
            if any(entry.HasField("logging_config") for entry in config.model_config_list.config):
                raise InvalidArgumentError("No request-logger-creator provided.")

    def stop(self) -> None:
        """Lets a reload that waits for its models end with CANCELLED."""
        self._stopping = True
        self.manager.states.wake()

    def _check_kind(self, config: Any) -> None:
        """Step 1: from a list only to a list."""
        is_list = self._config is not None and self._config.HasField("model_config_list")
        if is_list and not config.HasField("model_config_list"):
            raise FailedPreconditionError(
                "Cannot transition to requested config. It is only legal to transition from one ModelConfigList to "
                "another."
            )

    @contextmanager
    def _turn(self, gone: Callable[[], bool]) -> Iterator[None]:
        """One reload at a time: one that waits for a model that never comes would keep all others from theirs, and a
        thread of the server, if it went on when its caller has gone."""
        while not self._reloading.acquire(timeout=LOOK_SECONDS):
            self._check_waiting(gone)
        try:
            yield
        finally:
            self._reloading.release()

    def _check_waiting(self, gone: Callable[[], bool]) -> None:
        if self._stopping:
            raise CancelledError("The server is shutting down.")
        if gone():
            raise CancelledError("The caller of the reload has gone.")

    def _wait_for(self, names: list[str], since: int, what: str, gone: Callable[[], bool]) -> None:
        """Waits, as long as the caller does, until each name has a version that is AVAILABLE or failed, and those that
        are only needed are loaded.

        Raises for those that failed. since: what ended before that moment does not count, a name that was dropped may
        come again."""
        states = self.manager.states
        # a name that was dropped just now may still be AVAILABLE, and be unloaded in the next moment
        kept, takes_up = self.manager.keeps, self.manager.takes_up
        while not states.wait_until(
            lambda: self._stopping or (states.settled(names, since, kept) and not takes_up(names)), LOOK_SECONDS
        ):
            self._check_waiting(gone)
        self._check_waiting(lambda: False)
        failed = states.failures(names, since)
        if failed:
            reasons = "".join(
                f"{{{{name: {name} version: {version}}} due to error: {error.status}}}, "
                for name, version, error in failed
            )
            raise ServingError(f"{len(failed)} {what}(s) did not become available: {{{reasons}}}", Code.UNKNOWN)
