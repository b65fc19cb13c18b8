"""Looks for versions in the base paths of all models, at once and then periodically.

In TensorFlow Serving: sources/storage_path/file_system_storage_path_source.cc."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from serving.clock import Clock
from serving.errors import ServingError
from serving.model_config import ModelConfig
from serving.sources.versions import versions

log = logging.getLogger(__name__)
Aspire = Callable[[str, Mapping[int, str], Mapping[int, str]], None]
Needed = Callable[[str, Mapping[int, str]], Mapping[int, str]]


class FolderSource:
    """Tells the manager, through `aspire(name, {version: folder}, {})`, which versions of each model should be served.

    Of the versions that are there beside these, `needed(name, {version: folder})` is asked at the first look at a model
    for those that something still needs, from before the server was started: the last argument of `aspire`.

    All models share one look, and one base path that is absent makes the whole look fail: nothing changes then for
    any model. period_seconds: 0 means that only a changed list is looked at, once; negative means no look at all."""

    def __init__(self, aspire: Aspire, period_seconds: int, clock: Clock) -> None:
        self._aspire = aspire
        self._period_seconds = period_seconds
        self._clock = clock
        self.needed: Needed = lambda name, others: {}
        self._models: tuple[ModelConfig, ...] = ()
        self._looked_at: set[str] = set()
        self._lock = threading.Lock()  # one look at a time, and none while the list changes
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def update(self, models: Sequence[ModelConfig]) -> None:
        """Replaces the list: names left out are given up at once, the rest is looked at by the next poll, now."""
        with self._lock:
            dropped = {m.name for m in self._models} - {m.name for m in models}
            self._models = tuple(models)
            for name in dropped:
                self._aspire(name, {}, {})
        self._wake.set()
        if self._thread is None and self._period_seconds >= 0:
            self._thread = threading.Thread(target=self._run, name="folder-source", daemon=True)
            self._thread.start()

    def poll(self) -> None:
        """One look at all base paths."""
        with self._lock:
            try:
                found = {model.name: versions(model) for model in self._models}
            except ServingError as error:
                log.error("FileSystemStoragePathSource encountered a filesystem access error: %s", error.message)
                return
            for name, (wanted, others) in found.items():
                self._aspire(name, wanted, {} if name in self._looked_at else self.needed(name, others))
                self._looked_at.add(name)

    def stop(self, seconds: float | None = None) -> None:
        """Ends the polling; nothing is given up. seconds: the longest wait for a look at a disk that does not answer,
        None for no limit."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            self.poll()
            if self._stopping:
                return
            if self._period_seconds == 0:
                self._wake.wait()
            else:
                self._clock.wait(self._wake, self._period_seconds * 1_000_000)
