"""The store in a folder: a step that was answered is there when the server starts again.

SQLite with a write-ahead log. Everything is held in memory as well, so that steps only write; changes that come while
others are being written are written together."""

import fcntl
import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from serving.clock import Clock
from serving.errors import InvalidArgumentError, ServingError
from serving.sequences import errors
from serving.sequences.file_log import ends_of_transactions
from serving.sequences.memory import MemoryStore
from serving.sequences.record_bytes import from_bytes, to_bytes
from serving.sequences.store import Change, Key, Record

log = logging.getLogger(__name__)
FILE, LOCK, DAMAGED = "sequences.db", "lock", "sequences.db.damaged"
LOG = "-wal"  # behind the name of a database: SQLite's write-ahead log
TABLE = """CREATE TABLE IF NOT EXISTS sequences (
    number INTEGER PRIMARY KEY, model TEXT, kind TEXT, id TEXT, record BLOB, UNIQUE (model, kind, id))"""
# The names alone come from the index of UNIQUE, which has pages of its own: they outlive damage to a record.
NAMES = "SELECT number, model, kind, id FROM sequences INDEXED BY sqlite_autoindex_sequences_1"
PUT = """INSERT INTO sequences (model, kind, id, record) VALUES (?, ?, ?, ?)
    ON CONFLICT (model, kind, id) DO UPDATE SET record = excluded.record"""
FORGET = "DELETE FROM sequences WHERE model = ? AND kind = ? AND id = ?"
NUMBER, TEXT = "u", "s"
LARGEST_LOG = 16 * 1024 * 1024  # bytes of the write-ahead log that stay on disk once it has been written back


class _Written:
    """The changes of one caller, and what became of them."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.done = False
        self.error: ServingError | None = None


class FileStore(MemoryStore):
    """One server's records in one folder."""

    def __init__(
        self, folder: str, clock: Clock, always_sync: bool = False, wall: Callable[[], float] = time.time
    ) -> None:
        """always_sync: each step is on the disk before it is answered, so that it outlives a power cut; wall: seconds
        since 1970."""
        super().__init__()
        self._folder = Path(folder)
        self._clock = clock
        self._wall = wall
        self._always_sync = always_sync
        self._waiting: list[_Written] = []
        self._waiting_lock = threading.Lock()
        self._commit_lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._lock_file: Any = None

    def start(self) -> None:
        """Opens the folder and reads what it has; raises INVALID_ARGUMENT when it cannot, or another server has it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            found, lost = self._read_all()
            if lost is not None:
                self._set_aside(found, lost)
            else:
                self._shrink()
        except (OSError, sqlite3.Error) as error:
            raise InvalidArgumentError(f"sequence_store: {self._folder} cannot be used: {error}") from error
        super().write(sorted(found, key=_used))
        if found:
            log.info("%d sequences go on from %s", len(found), self._folder)

    def _take_lock(self) -> None:
        self._lock_file = open(self._folder / LOCK, "w")  # noqa: SIM115 (held until the end)
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InvalidArgumentError(
                f"sequence_store: {self._folder} is in use by another server; give each its own folder, or use a store "
                "that servers can share."
            ) from None

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._folder / FILE, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA synchronous = {'FULL' if self._always_sync else 'NORMAL'}")
            database.execute(f"PRAGMA journal_size_limit = {LARGEST_LOG}")
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _read_all(self) -> tuple[list[Change], str | None]:
        """The records, and what was lost, as text; None when all is well."""
        found: list[Change] = []
        lost: list[str] = []
        ends = ends_of_transactions(self._folder / f"{FILE}{LOG}")
        try:
            self._database = self._open()
            self._look_at_log(ends)
            self._database.execute(TABLE)
            for number, *name in self._database.execute(NAMES).fetchall():
                key = _key(*name)
                try:
                    (content,) = self._database.execute(
                        "SELECT record FROM sequences WHERE number = ?", [number]
                    ).fetchone()
                    found.append(Change(key, self._record(key, content)))
                except (sqlite3.DatabaseError, ValueError, TypeError) as error:
                    lost.append(f"sequence {key.id!r} of model {key.model} ({error})")
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "unable to open" in str(error):
                raise
            known = {change.key for change in found}
            found += [change for change in self._salvaged() if change.key not in known]
            lost.append(f"sequences that cannot be named ({error})")
        return found, "; ".join(lost) or None

    def _look_at_log(self, ends: Sequence[int]) -> None:
        """Says what stands behind damage in the log, which SQLite passes over. ends: of its transactions.

        Before anything is written: that would begin the log anew."""
        assert self._database is not None
        try:
            _, taken, _ = self._database.execute("PRAGMA wal_checkpoint").fetchone()
        except sqlite3.OperationalError:  # as on a full disk
            return
        lost = sum(end > taken for end in ends)
        if not lost:
            return
        self._keep_log()
        log.error(
            "The last %d transactions of %s are lost, it is damaged (it is kept as %s): sequences are as they were "
            "before them",
            *(lost, self._folder / f"{FILE}{LOG}", f"{DAMAGED}{LOG}"),
        )

    def _keep_log(self) -> None:
        """Until the next damage; SQLite removes or overwrites its own."""
        kept = self._folder / f"{DAMAGED}{LOG}"
        kept.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(self._folder / f"{FILE}{LOG}", kept)

    def _shrink(self) -> None:
        """Gives back the room of sequences that are no more, where that is most of the file."""
        assert self._database is not None
        (free,), (pages,) = (self._database.execute(f"PRAGMA {of}_count").fetchone() for of in ("freelist", "page"))
        if 2 * free <= pages:
            return
        try:
            self._database.execute("VACUUM")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            log.warning("%s keeps the room of %d pages that are free: %s", self._folder / FILE, free, error)

    def _salvaged(self) -> Iterator[Change]:
        """The records that can be read from either end of the table, where its names cannot."""
        if self._database is None:
            return
        seen = set()
        for order in ("ASC", "DESC"):
            rows = self._database.execute(f"SELECT model, kind, id, record FROM sequences ORDER BY number {order}")
            while True:
                try:
                    row = rows.fetchone()
                    if row is None:
                        break
                    key = _key(*row[:3])
                    if key not in seen:
                        seen.add(key)
                        yield Change(key, self._record(key, row[3]))
                except sqlite3.DatabaseError:
                    break
                except (ValueError, TypeError):
                    continue

    def _set_aside(self, found: Sequence[Change], lost: str) -> None:
        """Goes on in a new file with what was found; the damaged one stays beside it until the next."""
        log.error("Sequences are lost, %s is damaged (it is kept as %s): %s", self._folder / FILE, DAMAGED, lost)
        self._keep_log()
        if self._database is not None:
            self._database.close()
        os.replace(self._folder / FILE, self._folder / DAMAGED)
        for ending in (LOG, "-shm"):
            (self._folder / f"{FILE}{ending}").unlink(missing_ok=True)
        self._database = self._open()
        self._database.execute(TABLE)
        self._commit(found)

    def _record(self, key: Key, content: bytes) -> Record:
        record, used = from_bytes(key, content)
        age = max(self._wall() - used, 0.0)
        return record._replace(used_micros=self._clock.micros() - int(age * 1e6))

    def write(self, changes: Sequence[Change]) -> list[ServingError | None]:
        """Makes the changes, on the file first; all of them fail when it cannot be written."""
        mine = _Written(changes)
        with self._waiting_lock:
            self._waiting.append(mine)
        with self._commit_lock:  # who gets it writes for all that wait by then
            if not mine.done:
                with self._waiting_lock:
                    group, self._waiting = self._waiting, []
                self._write_group(group)
        return [mine.error] * len(changes)

    def _write_group(self, group: Sequence[_Written]) -> None:
        together = [change for written in group for change in written.changes]
        failed = None
        try:
            self._commit(together)
        except (sqlite3.Error, OSError) as error:
            failed = errors.store_unreachable(str(error))
        else:
            super().write(together)
        for written in group:
            written.error, written.done = failed, True

    def _commit(self, changes: Sequence[Change]) -> None:
        if self._database is None:
            raise sqlite3.ProgrammingError("the store is closed")
        puts, forgets = [], []
        now, wall = self._clock.micros(), self._wall()
        for key, record, _ in changes:
            if record is None:
                forgets.append(_name(key))
            else:
                used = wall - (now - record.used_micros) / 1e6
                puts.append((*_name(key), to_bytes(key, record, used)))
        self._database.execute("BEGIN IMMEDIATE")
        try:
            if forgets:
                self._database.executemany(FORGET, forgets)
            if puts:
                self._database.executemany(PUT, puts)
            self._database.execute("COMMIT")
        except sqlite3.Error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def stop(self) -> None:
        """Closes the file; what has been written stays."""
        with self._commit_lock:
            if self._database is not None:
                self._database.close()
                self._database = None
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None


def _name(key: Key) -> tuple[str, str, str]:
    return key.model, NUMBER if isinstance(key.id, int) else TEXT, str(key.id)


def _key(model: str, kind: str, text: str) -> Key:
    return Key(model, int(text) if kind == NUMBER else text)


def _used(change: Change) -> int:
    return 0 if change.record is None else change.record.used_micros
