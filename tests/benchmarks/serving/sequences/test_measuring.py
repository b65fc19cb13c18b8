"""When the parts of the benchmark look at a server, on a server and a load that only count."""

from contextlib import contextmanager

import numpy as np

from benchmarks.serving.load import Figures
from benchmarks.serving.sequences import measuring
from benchmarks.serving.sequences.steps import Model

MODEL = Model("lstm", {}, {"state_h": np.zeros((1, 2), np.float32)}, "y", ())


class Counted:
    """A server that takes a MiB for each live sequence, and a tenth for each time that it is measured."""

    def __init__(self):
        self.sequences, self.measured = set(), 0

    def resident_mib(self):
        return 400 + len(self.sequences) + self.measured / 10

    def start(self, live):
        self.sequences |= set(live.steps)

    def measure(self, live, concurrency, seconds):
        self.measured += 1
        return Figures(rate=float(len(live.steps)), p50=1.0, p99=1.0, requests=1, errors=0)


def test_the_memory_of_many_sequences_is_held_against_the_server_before_its_warm_up(monkeypatch, tmp_path):
    server = Counted()

    @contextmanager
    def started(*_):
        yield server

    monkeypatch.setattr(measuring, "started", started)
    monkeypatch.setattr(measuring, "load_of", lambda *_: server)
    (row,) = measuring.many(MODEL, tmp_path, 1.0)
    assert row["idle_mib"] == 400
    assert row["warm_mib"] == 400 + 1_000 + len(measuring.WARM) / 10
    assert row["with_many_mib"] == 400 + 100_000 + len(measuring.WARM) / 10
    assert (row["few"], row["many"]) == (1_000, 100_000)
