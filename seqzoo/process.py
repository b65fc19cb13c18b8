"""A process that runs beside ours, ends with it, and keeps its output in a file."""

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from training.errors import InputError

END_SECONDS = 10.0
POLL_SECONDS = 0.1


class Companion:
    """Starts a command in its own process group; leaving the `with` block ends the whole group."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )

    def wait_for(self, url: str, seconds: float) -> None:
        """Returns when the URL answers 200. Raises InputError, with the end of the log, when the process ends first."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                pass
            if self.process.poll() is not None:
                raise InputError(f"{self.name} ended with status {self.process.returncode}; {self._last_words()}")
            if time.monotonic() > deadline:
                raise InputError(f"{self.name} did not answer at {url} within {seconds:.0f} s; {self._last_words()}")
            time.sleep(POLL_SECONDS)

    def __enter__(self) -> "Companion":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS)
        self._signal(signal.SIGKILL)  # whatever of the group is left
        self.process.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()[-3:]
        return f"its log {self.log} ends: {' | '.join(lines) or '(nothing)'}"
