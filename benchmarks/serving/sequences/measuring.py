"""The parts of the benchmark: rates by store and server, the added time of a step, many live sequences."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import redis

from benchmarks.serving.contenders import PORT, Contender
from benchmarks.serving.running import Running, running
from benchmarks.serving.sequences.contenders import LONE, REDIS_PORT, Server, Way, ours
from benchmarks.serving.sequences.load import Live, Load
from benchmarks.serving.sequences.steps import HELD, Model, body

Row = dict[str, Any]
CONCURRENCIES = (1, 32, 128)
LIVE, MANY = 1_000, 100_000
WARM = (32, 16, 8, 4, 2, 1)  # connections: batches of every size are seen, and compiled, before anything counts
SPARE = count(90_000_000)  # numbers of sequences that only check answers
WARM_SECONDS = 0.5
LONE_ROUNDS = 5


class Checked:
    """Whether a server answers rightly in one way: asked by `running` until it does."""

    def __init__(self, model: Model, way: Way) -> None:
        self._model, self._way = model, way

    def answered(self, contender: Contender) -> bool:
        """False when there is no answer yet. Raises ArithmeticError for a wrong one."""
        try:
            load_of(self._model, self._way).verify(self._model, self._way.kind, self._way.form, next(SPARE))
        except (OSError, TimeoutError):
            return False
        return True


def load_of(model: Model, way: Way) -> Load:
    """Connections that ask in this way."""
    address = way.contender
    return Load(way.form, PORT + address.port, address.path, body(model, way.kind, way.form))


@contextmanager
def started(contender: Contender, way: Way, model: Model, repository: Path) -> Iterator[Running]:
    """The server, when it answers in that way; a Redis beside it where it needs one."""
    with (
        _redis() if contender.name == "redis" else nullcontext(),
        running(contender, repository, Checked(model, way)) as server,
    ):
        yield server


@contextmanager
def _redis() -> Iterator[None]:
    """A Redis that writes no file."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["redis-server", "--port", str(REDIS_PORT), "--bind", "127.0.0.1", "--dir", folder]
        process = subprocess.Popen(
            [*words, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            with redis.Redis(port=REDIS_PORT) as client:
                while True:
                    try:
                        client.ping()
                        break
                    except redis.ConnectionError:
                        if process.poll() is not None:
                            raise RuntimeError(f"redis-server ended with {process.returncode}") from None
            yield
        finally:
            process.terminate()
            process.wait()


def rates(server: Server, model: Model, repository: Path, seconds: float) -> list[Row]:
    """Steps a second among the live sequences, in each way, from one start of the server."""
    rows = []
    with started(server.contender, server.ways[0], model, repository):
        loads, kept = {way: load_of(model, way) for way in server.ways}, Live(range(LIVE))
        live = {way: kept if way.kind == HELD else Live(range(LIVE)) for way in server.ways}
        loads[server.ways[0]].start(kept)
        for concurrency in WARM:
            for way, load in loads.items():
                load.measure(live[way], concurrency, WARM_SECONDS)
        for concurrency in CONCURRENCIES:
            for way, load in loads.items():
                figures = load.measure(live[way], concurrency, seconds)
                rows.append(
                    {
                        "part": "load",
                        "model": model.name,
                        "server": server.name,
                        "kind": way.kind,
                        "form": way.form,
                        "concurrency": concurrency,
                        **vars(figures),
                    }
                )
        for way in server.ways:
            if not Checked(model, way).answered(server.contender):
                raise RuntimeError(f"{server.name} gives no answer any more after the load")
    return rows


def added(model: Model, repository: Path, seconds: float) -> list[Row]:
    """Median milliseconds of a step of a held sequence, and of the same call without states, by turns."""
    with started(ours("memory"), LONE[0], model, repository):
        loads, kept = {way: load_of(model, way) for way in LONE}, Live(range(LIVE))
        live = {way: kept if way.kind == HELD else Live(range(LIVE)) for way in LONE}
        loads[LONE[0]].start(kept)
        for way, load in loads.items():
            load.measure(live[way], 1, seconds)
        times: dict[Way, list[float]] = {way: [] for way in LONE}
        for _ in range(LONE_ROUNDS):
            for way, load in loads.items():
                times[way].append(load.measure(live[way], 1, seconds).p50)
    rows = []
    for form in ("grpc", "rest"):
        found = {way.kind: median(times[way]) for way in LONE if way.form == form}
        rows.append({"part": "added", "model": model.name, "form": form, **found})
    return rows


def many(model: Model, repository: Path, seconds: float) -> list[Row]:
    """Memory for many live sequences, and steps among them against steps among a few, by turns."""
    way = Way(HELD, "grpc")
    with started(ours("memory"), way, model, repository) as server:
        idle = server.resident_mib()  # before the warm-up: what that takes is taken by the sequences
        load, few, all_of_them = load_of(model, way), Live(range(LIVE)), Live(range(LIVE, MANY))
        load.start(few)
        for concurrency in WARM:
            load.measure(few, concurrency, WARM_SECONDS)
        warm = server.resident_mib()
        load.start(all_of_them)
        all_of_them.steps = {**few.steps, **all_of_them.steps}
        with_many = server.resident_mib()
        found: dict[str, list[float]] = {"few": [], "many": []}
        for _ in range(LONE_ROUNDS):
            found["few"].append(load.measure(few, 32, seconds).rate)
            all_of_them.steps.update(few.steps)
            found["many"].append(load.measure(all_of_them, 32, seconds).rate)
            few.steps = {number: all_of_them.steps[number] for number in few.steps}
    middle = {name: median(values) for name, values in found.items()}
    state_bytes = sum(array.nbytes for array in model.states.values())
    return [
        {"part": "live", "model": model.name, "sequences": MANY, "state_bytes": state_bytes, "idle_mib": idle}
        | {"warm_mib": warm, "with_many_mib": with_many, **middle}
    ]
