"""What is asked of the server in the long tests, and whether a run has held it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

Row = dict[str, Any]
GROWTH = 0.05  # of the resident memory, from the first to the last stretch
STRETCH = 100  # swaps; a third of them where there are fewer than 300
SPARE = 2  # threads or files more than before that may be chance: a connection that just closes
COLUMNS = ("resident_mib", "threads", "files")


@dataclass(frozen=True)
class Verdict:
    """One thing that is asked, whether it holds, and the figure that says so."""

    asked: str
    holds: bool
    found: str


def stretches(row: Row, column: str) -> tuple[Sequence[float], Sequence[float]]:
    """What was measured at first and at last: after swaps, or after rounds of inputs."""
    values = [taken[COLUMNS.index(column)] for taken in row["taken"]]
    number = max(1, min(STRETCH, len(values) // 3))
    return values[:number], values[-number:]


def threads(row: Row, spare: int = SPARE) -> Verdict:
    """No more threads at last than at first, as a rule: a version that has compiled anything holds ten more until it is
    unloaded, and the inputs at random reload versions."""
    first, last = stretches(row, "threads")
    holds = median(last) <= median(first) + spare
    found = f"{median(first):.0f} as a rule, {max(first):.0f} at most, then {median(last):.0f}, {max(last):.0f}"
    return Verdict("no more threads at the end", holds, found)


def files(row: Row) -> Verdict:
    """No more files at last than at first."""
    first, last = stretches(row, "files")
    holds = max(last) <= max(first) + SPARE
    return Verdict("no more files at the end", holds, f"{max(first):.0f} at most, then {max(last):.0f}")


def swaps(row: Row) -> list[Verdict]:
    """Of a run of swaps."""
    failures = row["grpc"]["failures"] + row["rest"]["failures"]
    answers = row["grpc"]["answers"] + row["rest"]["answers"]
    first, last = stretches(row, "resident_mib")
    growth = mean(last) / mean(first) - 1
    return [
        Verdict("no request fails", failures == 0 and answers > 0, f"{failures} of {answers + failures}"),
        Verdict(
            f"memory of the last {len(last)} swaps within {GROWTH:.0%} of that of the first {len(first)}",
            abs(growth) <= GROWTH,
            f"{mean(first):.0f} MiB, then {mean(last):.0f} MiB ({growth:+.1%})",
        ),
        threads(row, SPARE + row["threads"]),  # pools begin one when all are busy: at most one a caller
        files(row),
    ]


def fuzz(row: Row) -> list[Verdict]:
    """Of a run of inputs at random."""
    number = len(row["complaints"])
    answered = Verdict("each input is answered well, and the good request after it", number == 0, f"{number} were not")
    if len(row.get("taken", ())) < 2:  # an older run, or one round: there is the start to compare with
        before, after = row["before"]["files"], row["after"]["files"]
        return [answered, Verdict("no more files at the end", after <= before + SPARE, f"{before}, then {after}")]
    first, last = stretches(row, "resident_mib")
    growth = mean(last) / mean(first) - 1
    memory = Verdict(
        f"memory after the last rounds at most {GROWTH:.0%} over that after the first",
        growth <= GROWTH,
        f"{mean(first):.0f} MiB, then {mean(last):.0f} MiB ({growth:+.1%})",
    )
    return [answered, memory, threads(row), files(row)]


def verdicts(row: Row) -> list[Verdict]:
    """Of either."""
    return {"fuzz": fuzz, "swaps": swaps}[row["part"]](row)
