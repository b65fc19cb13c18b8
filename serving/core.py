"""Applies configurations, the first one and those that come later, and waits for the models that are new.

In TensorFlow Serving: model_servers/server_core.cc, ServerCore::ReloadConfig."""

import logging
import threading
from collections.abc import Sequence
from typing import Any

from serving import model_config
from serving.errors import CancelledError, Code, FailedPreconditionError, InvalidArgumentError, ServingError
from serving.labels import Labels
from serving.manager import Manager
from serving.model_config import ModelConfig
from serving.sources.folders import FolderSource

log = logging.getLogger(__name__)


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

    def reload(self, config: Any, what: str = "model") -> None:
        """Applies a ModelServerConfig; returns when each name that is new has a version that is AVAILABLE.

        Raises ServingError with TensorFlow Serving's text. After FAILED_PRECONDITION for a label everything is as
        before; after UNKNOWN, for a new model that failed to load, the configuration is in force."""
        with self._reloading:
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
            self._wait_for(new, since, what)
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

    def _wait_for(self, names: list[str], since: int, what: str) -> None:
        """Waits, without limit, until each name has a version that is AVAILABLE or failed; raises for those failed.

        since: what ended before that moment does not count, a name that was dropped may come again."""
        states = self.manager.states
        states.wait_until(lambda: self._stopping or states.settled(names, since))
        if self._stopping:
            raise CancelledError("The server is shutting down.")
        failed = states.failures(names, since)
        if failed:
            reasons = "".join(
                f"{{{{name: {name} version: {version}}} due to error: {error.status}}}, "
                for name, version, error in failed
            )
            raise ServingError(f"{len(failed)} {what}(s) did not become available: {{{reasons}}}", Code.UNKNOWN)
