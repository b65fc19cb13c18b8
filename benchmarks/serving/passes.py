"""Passes of the benchmark as the rows of one file: medians over all passes, and the figures of each beside them."""

import statistics
from typing import Any

from benchmarks.serving.contenders import SEQUENCE

Row = dict[str, Any]
KEY = ("part", "server", "form", "request", "concurrency")
LACKING = {"request": SEQUENCE}  # in older rows
FIGURES = {
    "load": ("rate", "p50", "p99", "start_seconds", "resident_mib"),
    "bare": ("call_ms", "step_ms", "import_seconds", "import_mib"),
}
COUNTS = ("requests", "errors")


def joined(rows: list[Row]) -> list[Row]:
    """One row for each place: the medians of the passes, the sums of what is counted, and all passes."""
    places: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        places.setdefault(tuple(row.get(name, LACKING.get(name)) for name in KEY), []).append(row)
    found = []
    for passes in places.values():
        first = passes[0]
        rounds = {name: [row[name] for row in passes if name in row] for name in FIGURES[first["part"]]}
        rounds = {name: values for name, values in rounds.items() if values}
        medians = {name: statistics.median(values) for name, values in rounds.items()}
        counts = {name: sum(row[name] for row in passes) for name in COUNTS if name in first}
        found.append({**first, **medians, **counts, "rounds": rounds})
    return found


def parted(rows: list[Row]) -> list[Row]:
    """The passes that joined() has made these rows of; what was counted stands with the first of each."""
    found = []
    for row in rows:
        rounds = row["rounds"]
        rest = {name: value for name, value in row.items() if name != "rounds" and name not in rounds}
        for number in range(max(map(len, rounds.values()))):
            figures = {name: values[number] for name, values in rounds.items() if number < len(values)}
            counts = {name: 0 for name in COUNTS if name in row and number}
            found.append({**rest, **figures, **counts})
    return found
