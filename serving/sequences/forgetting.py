"""Forgets sequences that nobody uses: on access, in scans, and where room is needed."""

import logging
import threading
from contextlib import suppress

from serving.clock import Clock
from serving.errors import Code, ServingError
from serving.sequences import errors
from serving.sequences.metrics import IDLE, SequenceMetrics
from serving.sequences.patience import NOW, Patience
from serving.sequences.settings import ModelSettings
from serving.sequences.store import Change, Key, Record, Store
from serving.sequences.turns import Turns

log = logging.getLogger(__name__)
SECOND = 1_000_000  # microseconds
TICK_MICROS = 10 * SECOND  # between two looks whether a scan is due


class Forgetting:
    """Reads records as they count now, and removes those that do not."""

    def __init__(
        self,
        store: Store,
        turns: Turns,
        settings: ModelSettings,
        metrics: SequenceMetrics,
        clock: Clock,
    ) -> None:
        self._store = store
        self._turns = turns
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._began = clock.micros()
        self._held_bytes = 0  # of new sequences that a call holds: the store does not know them yet
        self._held_lock = threading.Lock()
        self._scanned: dict[str, int] = {}  # model -> moment of its last scan
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sequence-cleaner", daemon=True)

    def start(self) -> None:
        """Starts the thread that scans."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def read(self, key: Key, patience: Patience) -> Record | None:
        """The sequence, by the call whose turn it is; one that is idle or ended for too long is removed."""
        record = self._store.read(key, patience)
        if record is None:
            return None
        settings = self._settings[key.model]
        if record.ended:
            limit, reason = settings.retain_ended_seconds, None
        elif settings.idle_ttl_seconds:
            limit, reason = settings.idle_ttl_seconds, IDLE
        else:
            return record
        if self._clock.micros() - record.used_micros <= limit * SECOND:
            return record
        self.forget(key, reason)
        return None

    def forget(self, key: Key, reason: str | None) -> None:
        """Removes a sequence that was read, and is to be released; reason: counted by the metrics, None for what is
        left of one that has ended."""
        (error,) = self._store.write([Change(key, None, goes_on=True)])
        if error is not None:
            raise error
        if reason is not None:
            self._metrics.ended.add(key.model, reason)

    def ended(self, model: str) -> None:
        """A sequence of the model has ended: those that ended long ago go."""
        before = self._clock.micros() - self._settings[model].retain_ended_seconds * SECOND
        with suppress(ServingError):  # they go another time
            self._forget_unused(model, before, ended=True)

    def hold(self, nbytes: int) -> None:
        """So many bytes more (or less) are held by calls."""
        with self._held_lock:
            self._held_bytes += nbytes

    def _nbytes(self) -> int:
        return self._store.nbytes() + self._held_bytes

    def make_room(self) -> None:
        """Raises UNAVAILABLE at the memory limit, after those have gone that are idle for longer than their ttl."""
        limit = self._settings.memory_limit_bytes
        if not limit or self._nbytes() < limit:
            return
        for model in self._store.models():
            self.ended(model)
            if self._settings[model].idle_ttl_seconds:
                self._forget_unused(model, self._clock.micros() - self._settings[model].idle_ttl_seconds * SECOND)
        if self._nbytes() >= limit:
            raise errors.memory_limit(limit)

    def scan(self) -> None:
        """Forgets what is idle, of the models whose scan is due."""
        now = self._clock.micros()
        for model in self._store.models():
            settings = self._settings[model]
            last = self._scanned.get(model, self._began)
            period = settings.cleaner_poll_wait_minutes * 60 * SECOND
            if not period or now - last < period:
                continue
            self._scanned[model] = now
            self.ended(model)
            if settings.idle_sequence_cleanup:
                ttl = settings.idle_ttl_seconds
                self._forget_unused(model, now - ttl * SECOND if ttl else last)

    def _forget_unused(self, model: str, before: int, ended: bool = False) -> None:
        for key in self._store.unused_since(model, before, ended):
            if not self._turns.try_enter(key):
                continue  # a call is at work on it
            try:
                record = self._store.read(key, NOW)
                if record is not None and record.ended == ended and record.used_micros < before:
                    self.forget(key, None if ended else IDLE)
            except ServingError as error:
                if error.code not in (Code.DEADLINE_EXCEEDED, Code.ABORTED):
                    raise
                # else another server is at work on it
            finally:
                self._store.release(key)
                self._turns.leave(key)

    def _work(self) -> None:
        while not self._clock.wait(self._stopping, TICK_MICROS):
            try:
                self.scan()
            except ServingError as error:
                log.warning("Idle sequences are not looked for: %s", error.message)
