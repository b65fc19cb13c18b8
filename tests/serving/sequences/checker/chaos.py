"""What befalls servers and store, in an order that the seed decides: one event for so many steps."""

import shutil
import signal
import time

import numpy as np

from tests.serving.sequences import models
from tests.serving.sequences.checker.story import factor_of

STILL_SECONDS = 2.0  # a call is given up after 1.5, a lease runs out after 1: others have gone on by then
FOLDERS = 3  # of the latest versions
TRIES = 50  # to stop a server in the midst of a step
EVENTS = {
    "memory": ("kill", "still", "swap", "terminate"),
    "file": ("kill", "still", "swap", "terminate", "full disk"),
    "redis": ("kill", "still", "swap", "terminate", "redis killed", "redis stopped"),
}


class Chaos:
    """Servers, Redis and versions, and what is done to them."""

    def __init__(self, events, seed, servers, base, redis=None):
        self.events, self.rng = events, np.random.default_rng([seed, 10**6])
        self.servers, self.base, self.redis = servers, base, redis
        self.version = 1
        self.kills = 0

    def write_version(self):
        models.write(models.Running(factor_of(self.version)), self.base / str(self.version))

    def is_removed(self, version):
        """Whether no server that starts from now on has the version."""
        return version <= self.version - FOLDERS

    def order(self):
        """Events without end, if there are any: each kind once, in some order, then again."""
        while self.events:
            for index in self.rng.permutation(len(self.events)):
                yield self.events[index], int(self.rng.integers(len(self.servers)))

    def happen(self, event, at):
        server = self.servers[at]
        if event in ("kill", "terminate"):
            server.end(signal.SIGKILL if event == "kill" else signal.SIGTERM)
            self.kills += 1  # here: before, it still answers, and a story that it starts then is lost too
            server.launch()
            server.wait()
        elif event == "still":
            self.stop_at_work(server)
            time.sleep(STILL_SECONDS)
            server.send(signal.SIGCONT)
        elif event == "swap":
            self.version += 1
            self.write_version()
            shutil.rmtree(self.base / str(self.version - FOLDERS), ignore_errors=True)
        elif event == "full disk":
            server.fill_disk(True)
            time.sleep(0.5)
            server.fill_disk(False)
        elif event == "redis killed":
            self.redis.kill()
            self.redis.start()
        elif event == "redis stopped":
            self.redis.send(signal.SIGTERM)
            self.redis.process.wait()
            self.redis.start()

    def stop_at_work(self, server):
        """Stops it; where leases show it, while it has sequences under way."""
        for _ in range(TRIES):
            server.send(signal.SIGSTOP)
            if self.redis is None or self.leases() & self.leases():
                return
            server.send(signal.SIGCONT)
            time.sleep(0.01)
        server.send(signal.SIGSTOP)

    def leases(self):
        """Those that are held, a moment later: the ones that stay are of a server that stands still."""
        time.sleep(0.1)
        keys = list(self.redis.client.scan_iter("sequence-lease:*", 1000))
        return set(zip(keys, self.redis.client.mget(keys), strict=True)) if keys else set()
