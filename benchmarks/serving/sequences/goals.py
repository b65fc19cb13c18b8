"""What we ask of sequences' speed, and whether a run of the benchmark holds it."""

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.models.goals import Goal, Miss
from benchmarks.serving.sequences.steps import ALONE, HELD, PASSED, WRITTEN

Row = dict[str, Any]
CHAR_LM = "char-lm"
OF_PASSED, OF_MEMORY, SYNCED_OF_MEMORY, OF_FEW = 1.2, 0.6, 0.3, 0.8
ADDED_MS, LIVE_MB, FIRST_MS, STREAMS_TIMES, STREAMS_TARGET = 0.15, 400.0, 3.0, 4.0, 8.0
MIB_IN_MB = 1.048576


def is_load(row: Row) -> bool:
    """Whether a row has a rate."""
    return bool(row["part"] == "load")


def memory(rows: list[Row]) -> list[Row]:
    """Steps of sequences in the memory of our server."""
    return [row for row in rows if row["server"] == "memory" and row["kind"] == HELD]


def place(row: Row) -> str:
    """A row's name in a sentence."""
    return f"{row['model']} over {row['form']} at {row['concurrency']}"


def same(row: Row, other: Row, *names: str) -> bool:
    """Whether two rows agree in these."""
    return all(row[name] == other[name] for name in names)


def of_passed(asked: float, model: str = "") -> Callable[[list[Row]], Iterator[Miss]]:
    """Our rate by that of a client that passes the states itself, over the same face."""

    def misses(rows: list[Row]) -> Iterator[Miss]:
        for mine in memory(rows):
            for its in rows:
                if its["kind"] == PASSED and same(mine, its, "model", "form", "concurrency"):
                    times = mine["rate"] / its["rate"]
                    if mine["model"].startswith(model) and times < asked:
                        yield Miss(place(mine), times, asked)

    return misses


def ahead(rows: list[Row]) -> Iterator[Miss]:
    """Where a hand-written server does more steps than we do, over either face."""
    for mine in memory(rows):
        for its in rows:
            if its["kind"] == WRITTEN and same(mine, its, "model", "concurrency") and mine["rate"] < its["rate"]:
                yield Miss(f"{place(mine)} against {its['server']}", mine["rate"] / its["rate"], 1.0)


def of_memory(store: str, asked: float) -> Callable[[list[Row]], Iterator[Miss]]:
    """The rate of a store at 32 connections by that of memory."""

    def misses(rows: list[Row]) -> Iterator[Miss]:
        for mine in (row for row in rows if row["server"] == store and row["concurrency"] == 32):
            for its in memory(rows):
                if same(mine, its, "model", "form", "concurrency") and mine["rate"] < asked * its["rate"]:
                    yield Miss(place(mine), mine["rate"] / its["rate"], asked)

    return misses


def added(rows: list[Row]) -> Iterator[Miss]:
    """What a lone step takes over a stateless call of the same size."""
    for row in rows:
        if row[HELD] - row[ALONE] > ADDED_MS:
            yield Miss(f"{row['model']} over {row['form']}", row[HELD] - row[ALONE], ADDED_MS)


def live_memory(rows: list[Row]) -> Iterator[Miss]:
    """Megabytes for the live sequences."""
    for row in rows:
        taken = (row["with_many_mib"] - row["idle_mib"]) * MIB_IN_MB
        if taken > LIVE_MB:
            yield Miss(f"{row['sequences']} sequences", taken, LIVE_MB)


def live_rate(rows: list[Row]) -> Iterator[Miss]:
    """Steps among many by steps among few."""
    for row in rows:
        if row["many"] < OF_FEW * row["few"]:
            yield Miss(f"{row['sequences']} sequences", row["many"] / row["few"], OF_FEW)


def first(rows: list[Row]) -> Iterator[Miss]:
    """Until the first token, beyond the prompt's own run."""
    return (Miss("char-lm", row["first_ms"], FIRST_MS) for row in rows if row["first_ms"] > FIRST_MS)


def together(asked: float) -> Callable[[list[Row]], Iterator[Miss]]:
    """Tokens a second of 32 streams by those of one."""
    return lambda rows: (Miss("char-lm", row["32_to_1"], asked) for row in rows if row["32_to_1"] < asked)


def part(name: str) -> Callable[[Row], bool]:
    """Whether a row is of that part."""
    return lambda row: bool(row["part"] == name)


MUST = [
    Goal("states in the server's memory never behind states that the client passes", is_load, of_passed(1.0)),
    Goal(
        f"at least {OF_PASSED:g} times those for {CHAR_LM}",
        lambda row: is_load(row) and row["model"] == CHAR_LM,
        of_passed(OF_PASSED, CHAR_LM),
    ),
    Goal("more steps a second than every hand-written server", is_load, ahead),
    Goal(f"`file` at 32 connections at least {OF_MEMORY:g} of `memory`", is_load, of_memory("file", OF_MEMORY)),
    Goal(
        f"`file` with `sync=always` at least {SYNCED_OF_MEMORY:g}",
        is_load,
        of_memory("file, sync=always", SYNCED_OF_MEMORY),
    ),
    Goal(f"a lone step at most {ADDED_MS:g} ms over a stateless call of the same size", part("added"), added),
    Goal(f"100,000 live sequences in at most {LIVE_MB:g} MB over the idle server", part("live"), live_memory),
    Goal(f"steps among 100,000 at least {OF_FEW:g} of those among 1,000", part("live"), live_rate),
    Goal(f"a stream's first token within {FIRST_MS:g} ms of the prompt's own run", part("streams"), first),
    Goal(f"32 streams at least {STREAMS_TIMES:g} times the tokens of one", part("streams"), together(STREAMS_TIMES)),
    Goal(
        "no step fails",
        is_load,
        lambda rows: (Miss(f"{row['server']}, {place(row)}", row["errors"], 0) for row in rows if row["errors"]),
    ),
]
TARGETS = [
    Goal(f"32 streams at least {STREAMS_TARGET:g} times the tokens of one", part("streams"), together(STREAMS_TARGET))
]
