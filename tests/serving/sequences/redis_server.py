"""A real Redis for tests: on a free port, with a folder of its own and its append-only file."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.serving.asking import wait_until

START_SECONDS = 600  # it reads its file first; the whole may be stopped meanwhile
HERE = Path(sys.prefix) / "debian"  # where `make test` puts one on a machine without it
WHY_NOT = "there is no redis-server on this machine, and `make test` could not get Debian's without root"


def redis_program():
    """Path and environment of redis-server; None without one."""
    found = shutil.which("redis-server")
    if found is not None:
        return found, {}
    program = HERE / "usr" / "bin" / "redis-server"
    if not program.exists():
        return None
    return str(program), {"LD_LIBRARY_PATH": ":".join(map(str, (HERE / "usr" / "lib").glob("*-linux-*")))}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisServer:
    """Each write is on the disk before it is answered."""

    def __init__(self, folder, *arguments, password=None):
        """arguments: further ones of redis-server; password: that they ask for."""
        self.arguments = arguments
        self.program, self.environment = redis_program()
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process = None
        self.client = redis.Redis(port=self.port, password=password, retry=Retry(NoBackoff(), 0))
        self.start()

    def start(self):
        command = [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--logfile", "log", *self.arguments]
        self.process = subprocess.Popen(command, env={**os.environ, **self.environment})
        wait_until(self.answers, START_SECONDS)

    def answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            return self.client.ping()
        except redis.RedisError:
            return False

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.send(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.client.close()
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.kill()
