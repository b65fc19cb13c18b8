"""Passes of the benchmark as the rows of one file: medians over all passes, and the figures of each beside them."""

import statistics
from typing import Any

Row = dict[str, Any]
KEY = ("part", "server", "form", "concurrency")
FIGURES = {
    "load": ("rate", "p50", "p99", "start_seconds", "resident_mib"),
    "bare": ("call_ms", "import_seconds", "import_mib"),
}
COUNTS = ("requests", "errors")


def joined(rows: list[Row]) -> list[Row]:
    """One row for each place: the medians of the passes, the sums of what is counted, and all passes."""
    places: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        places.setdefault(tuple(row.get(name) for name in KEY), []).append(row)
    found = []
    for passes in places.values():
        first = passes[0]
        rounds = {name: [row[name] for row in passes] for name in FIGURES[first["part"]]}
        medians = {name: statistics.median(values) for name, values in rounds.items()}
        counts = {name: sum(row[name] for row in passes) for name in COUNTS if name in first}
        found.append({**first, **medians, **counts, "rounds": rounds})
    return found


def parted(rows: list[Row]) -> list[Row]:
    """The passes that joined() has made these rows of; what was counted stands with the first of each."""
    found = []
    for row in rows:
        rounds = row["rounds"]
        for number in range(len(next(iter(rounds.values())))):
            figures = {name: values[number] for name, values in rounds.items()}
            counts = {name: 0 for name in COUNTS if name in row and number}
            found.append({**{name: value for name, value in row.items() if name != "rounds"}, **figures, **counts})
    return found
