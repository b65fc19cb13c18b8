"""What we ask of our server's speed, and whether a run of the benchmark holds it."""

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.models.goals import Goal, Miss
from benchmarks.serving.contenders import SEQUENCE

Row = dict[str, Any]
OF_ECHO, TARGET_OF_ECHO, OVER_BARE_MS = 0.55, 0.7, 0.6
OVER_IMPORT_SECONDS, OVER_IMPORT_MIB = 1.5, 150.0
FORMS = ("rest", "grpc")


def loads(rows: list[Row]) -> list[Row]:
    """The rows of load."""
    return [row for row in rows if row["part"] == "load"]


def bare(rows: list[Row]) -> Row:
    """The row of what no server can spare."""
    return next(row for row in rows if row["part"] == "bare")


def of(rows: list[Row], server: str) -> list[Row]:
    """A server's rows of load."""
    return [row for row in loads(rows) if row["server"] == server]


def request(row: Row) -> str:
    """What was asked; older runs have whole sequences alone."""
    return str(row.get("request", SEQUENCE))


def place(row: Row) -> str:
    """A row's name in a sentence."""
    what = "" if request(row) == SEQUENCE else "one step, "
    return f"{what}{row['form']} at {row['concurrency']}"


def same(mine: Row, its: Row) -> bool:
    """Whether two rows are of the same request at the same number of connections."""
    return request(mine) == request(its) and bool(mine["concurrency"] == its["concurrency"])


def ahead(figure: str, concurrencies: tuple[int, ...]) -> Callable[[list[Row]], Iterator[Miss]]:
    """Where a rival is better than we are; times above 1 are ours. Each of our forms meets every rival."""

    def misses(rows: list[Row]) -> Iterator[Miss]:
        rivals = [row for row in loads(rows) if row["server"] not in ("ours", "echo")]
        for mine in of(rows, "ours"):
            for its in rivals:
                if not same(mine, its) or mine["concurrency"] not in concurrencies:
                    continue
                times = mine[figure] / its[figure] if figure == "rate" else its[figure] / mine[figure]
                if times < 1:
                    yield Miss(f"{place(mine)} against {its['server']}", times, 1.0)

    return misses


def of_echo(asked: float) -> Callable[[list[Row]], Iterator[Miss]]:
    """Our rate at 32 by that of the echo of the same request in the same form."""

    def misses(rows: list[Row]) -> Iterator[Miss]:
        for mine in of(rows, "ours"):
            for its in of(rows, "echo"):
                alike = same(mine, its) and mine["form"] == its["form"] and mine["concurrency"] == 32
                if alike and mine["rate"] / its["rate"] < asked:
                    yield Miss(place(mine), mine["rate"] / its["rate"], asked)

    return misses


def over_bare(rows: list[Row]) -> Iterator[Miss]:
    """Milliseconds of a lone request beyond the call itself."""
    for mine in of(rows, "ours"):
        over = mine["p50"] - bare(rows)["call_ms" if request(mine) == SEQUENCE else "step_ms"]
        if mine["concurrency"] == 1 and over > OVER_BARE_MS:
            yield Miss(place(mine), over, OVER_BARE_MS)


def over_import(figure: str, alone: str, asked: float) -> Callable[[list[Row]], Iterator[Miss]]:
    """What the server needs beyond `import tensorflow`."""

    def misses(rows: list[Row]) -> Iterator[Miss]:
        for mine in of(rows, "ours"):
            over = mine[figure] - bare(rows)[alone]
            if request(mine) == SEQUENCE and mine["concurrency"] == 1 and over > asked:
                yield Miss(mine["form"], over, asked)

    return misses


def is_load(row: Row) -> bool:
    """Whether a row tells of load."""
    return bool(row["part"] == "load")


def any_row(row: Row) -> bool:
    """Every row is needed: goals here compare rows with each other."""
    return row["part"] in ("load", "bare")


ALL, BUSY = (1, 8, 32, 128), (8, 32, 128)
MUST = [
    Goal("more answers a second than every rival, at every number of connections", is_load, ahead("rate", ALL)),
    Goal("a lower median than every rival, at every number of connections", is_load, ahead("p50", ALL)),
    Goal("a lower 99th percentile than every rival, at 8, 32 and 128 connections", is_load, ahead("p99", BUSY)),
    Goal(f"at 32 connections at least {OF_ECHO:g} of the echo's answers", is_load, of_echo(OF_ECHO)),
    Goal(f"at 1 connection at most {OVER_BARE_MS:g} ms over the bare call", any_row, over_bare),
    Goal(
        f"first answer at most {OVER_IMPORT_SECONDS:g} s after `import tensorflow` would have ended",
        any_row,
        over_import("start_seconds", "import_seconds", OVER_IMPORT_SECONDS),
    ),
    Goal(
        f"resident memory at most {OVER_IMPORT_MIB:g} MiB over `import tensorflow`",
        any_row,
        over_import("resident_mib", "import_mib", OVER_IMPORT_MIB),
    ),
    Goal(
        "no request fails",
        is_load,
        lambda rows: (Miss(place(row), row["errors"], 0) for row in of(rows, "ours") if row["errors"]),
    ),
]
TARGETS = [
    Goal(f"at 32 connections at least {TARGET_OF_ECHO:g} of the echo's answers", is_load, of_echo(TARGET_OF_ECHO))
]
