"""The server as a process of its own, and what it takes: memory, threads, open files."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[3]
LONGEST_START_SECONDS = 120
LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Taken:
    """resident_mib: memory that is the process's own and in RAM; files: descriptors, sockets among them."""

    resident_mib: float
    threads: int
    files: int


class Process:
    """A server that runs on ports of its own."""

    def __init__(self, popen: "subprocess.Popen[bytes]", log: Path, grpc_port: int, rest_port: int) -> None:
        self.log = log
        self.grpc_port = grpc_port
        self.rest_port = rest_port
        self.popen = popen
        self._watched = psutil.Process(popen.pid)

    def taken(self) -> Taken:
        """What it takes now."""
        with self._watched.oneshot():
            memory = self._watched.memory_info().rss / 2**20
            return Taken(memory, self._watched.num_threads(), self._watched.num_fds())

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.popen.poll() is None

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:]

    def wait_for(self, pattern: str) -> None:
        """Returns when its log has such a line; raises RuntimeError when it ends, or is not so far in time."""
        end = time.monotonic() + LONGEST_START_SECONDS
        while not re.search(pattern, self.log.read_text(errors="replace")):
            if not self.running() or time.monotonic() > end:
                raise RuntimeError(f"the server does not start:\n{self.said()}")
            time.sleep(LOOK_SECONDS)


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Process]:
    """A server with these flags, ready; its log is in the folder. It is asked to end, then made to."""
    grpc_port, rest_port = _free_ports(2)
    log = folder / "server.log"
    command = [sys.executable, "-m", "serving", f"--port={grpc_port}", f"--rest_api_port={rest_port}", *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with log.open("wb") as out:
        popen = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        process = Process(popen, log, grpc_port, rest_port)
        process.wait_for("Exporting HTTP/REST API")
        yield process
        popen.send_signal(signal.SIGTERM)
        if popen.wait(60) != 0:
            raise RuntimeError(f"the server ended with {popen.returncode}:\n{process.said()}")
    finally:
        popen.kill()
        popen.wait()


def _free_ports(number: int) -> Sequence[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
