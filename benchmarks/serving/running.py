"""A server as a process of its own: started, waited for until it answers rightly, ended with all that it started."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from benchmarks.serving.contenders import PORT, ROOT, Contender

LONGEST_START_SECONDS = 90


class Asks(Protocol):
    """What a server is asked."""

    def answered(self, contender: Contender) -> bool:
        """Asks once; False when there is no answer yet. Raises ArithmeticError for a wrong one."""
        ...


@dataclass(frozen=True)
class Running:
    """start_seconds: from the process's start to its first right answer."""

    process: psutil.Process
    start_seconds: float

    def resident_mib(self) -> float:
        """Of the process and all that it started; pages that they share count for each."""
        total = 0
        for process in (self.process, *self.process.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total / 2**20


@contextmanager
def running(contender: Contender, repository: Path, questions: Asks) -> Iterator[Running]:
    """Raises RuntimeError with what the server wrote when it does not answer in time."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w+") as log:
        words = [word.format(folder=Path(folder, "home"), repository=repository) for word in contender.command]
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{contender.python.parent}:{os.environ['PATH']}",
            "PORT": str(PORT),
            "MODEL_FOLDER": str(repository / "classifier" / "1"),
            "MODEL_CALL": contender.call or "plain",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "BENTOML_HOME": str(Path(folder, "bentoml")),
            "BENTOML_DO_NOT_TRACK": "True",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        begin = time.perf_counter()
        process = subprocess.Popen(
            [str(contender.python), *words],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        watched = psutil.Process(process.pid)
        try:
            while not questions.answered(contender):
                if process.poll() is not None or time.perf_counter() - begin > LONGEST_START_SECONDS:
                    log.seek(0)
                    raise RuntimeError(f"{contender.name} does not answer:\n{log.read()[-2000:]}")
                time.sleep(0.02)
            yield Running(watched, time.perf_counter() - begin)
        finally:
            _end(watched, process)


def _end(watched: psutil.Process, process: "subprocess.Popen[bytes]") -> None:
    """Asks it to end, then ends what is left of it."""
    try:
        family = [watched, *watched.children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    psutil.wait_procs(family, timeout=8)
    for member in family:
        if member.is_running():
            member.kill()
    process.wait()
