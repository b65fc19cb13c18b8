"""A run of the checker: many clients follow their stories while servers and store are disturbed."""

import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from tests.serving.sequences.checker.chaos import EVENTS, Chaos
from tests.serving.sequences.checker.follow import Client, Follower
from tests.serving.sequences.checker.servers import Server
from tests.serving.sequences.checker.story import story
from tests.serving.sequences.redis_server import RedisServer

SERVERS = {"memory": 1, "file": 1, "redis": 2}
DRAINS = ("memory", "file")  # of stores; several servers do not change versions at the same moment


class Run:
    """Sequences on one store until so many steps are acknowledged and every event has happened, or a guarantee does
    not hold."""

    def __init__(self, kind, *, steps, seed, clients=16, steps_an_event=2000, events=None, fault="", said=None):
        """kind: memory, file or redis; events: None for all of that store; fault: planted in the servers; said: told
        of each event."""
        self.kind, self.steps, self.seed, self.clients = kind, steps, seed, clients
        self.kinds = EVENTS[kind] if events is None else events
        self.steps_an_event, self.fault, self.said = steps_an_event, fault, said
        self.change = "DRAIN" if seed % 2 == 0 and kind in DRAINS else "CARRY"
        self.counts: Counter[str] = Counter()  # what has happened in the stories that have ended
        self.events: Counter[str] = Counter()
        self.seconds = 0.0
        self._errors: list[Exception] = []
        self._done = False
        self._changed = threading.Condition()
        self._numbers = count()

    def __call__(self):
        """Raises the first ViolationError."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            redis, store = None, self.kind
            if self.kind == "file":
                store = f"file:{folder}/store"
            if self.kind == "redis":
                redis = RedisServer(folder / "redis")
                stack.callback(redis.stop)
                store = f"{redis.url}?lease_seconds=1"
            servers = [
                Server(folder / f"s{i}", folder / "m", store, self.change, self.fault)
                for i in range(SERVERS[self.kind])
            ]
            chaos = Chaos(self.kinds, self.seed, servers, folder / "m", redis)
            chaos.write_version()
            for server in servers:
                stack.callback(server.end)
                server.launch()
            for server in servers:
                server.wait()
            self._drive(chaos)
        if self._errors:
            raise self._errors[0]
        return self

    def _drive(self, chaos):
        began = time.monotonic()
        threads = [threading.Thread(target=self._guarded, args=[self._ask, chaos]) for _ in range(self.clients)]
        threads.append(threading.Thread(target=self._guarded, args=[self._disturb, chaos]))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.seconds = time.monotonic() - began

    def _guarded(self, work, chaos):
        try:
            work(chaos)
        except Exception as error:
            with self._changed:
                self._errors.append(error)
                self._done = True
                self._changed.notify_all()

    def _ask(self, chaos):
        client = Client(chaos.servers)
        losses = (lambda: chaos.kills) if self.kind == "memory" else lambda: 0
        removed = chaos.is_removed if self.change == "DRAIN" else lambda version: False
        try:
            while not self._done:
                counts: Counter[str] = Counter(sequences=1)
                Follower(story(self.seed, next(self._numbers)), client, counts, losses, removed).follow()
                with self._changed:
                    self.counts.update(counts)
                    self._look()
        finally:
            client.close()

    def _look(self):
        if self.counts["steps"] >= self.steps and set(self.events) >= set(self.kinds):
            self._done = True
        self._changed.notify_all()

    def _disturb(self, chaos):
        due = self.steps_an_event
        for event, at in chaos.order():
            with self._changed:
                self._changed.wait_for(lambda due=due: self._done or self.counts["steps"] >= due)
                if self._done:
                    return
                reached = self.counts["steps"]
            if self.said is not None:
                self.said(f"{reached} steps: {event}, server {at}")
            chaos.happen(event, at)
            with self._changed:
                self.events[event] += 1
                due = max(due, self.counts["steps"]) + self.steps_an_event
                self._look()
