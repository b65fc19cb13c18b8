"""The server's page of figures, made from a saved run of the benchmark.

python -m benchmarks.serving.report benchmarks/results/serving.json docs/serving_performance.md
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.models.report import digits, table
from benchmarks.serving.goals import MUST, TARGETS, bare, loads

Row = dict[str, Any]

HEAD = """# How fast the server is

Our server beside other Python servers, on one machine in one run. This page is made by `make bench-serving` from
`{source}`; no number on it is typed by hand.

{machine}

Servers and load share the cores. The model has two LSTM layers of 64 units; a request is one sequence [1, 64, 16] of
float32, JSON over REST, a `PredictRequest` over gRPC. wrk and h2load ask it again and again over 1, 8, 32 or 128
connections. A cell has answers a second / median ms / 99th percentile ms, the median of the passes ({rounds} here); in
each pass every server is started anew. *ours* runs with `--enable_batching`, `--compile_signatures`,
`--tensorflow_intra_op_parallelism=1`, `--grpc_max_threads=40` and
[these parameters](../benchmarks/serving/batching_parameters.txt). The rivals are set up as their documentation
recommends, with their batching on where they have one; *our call inside* means that the rival calls the model by our
compiled form, so that only the server differs. *echo* reads the bytes of the request, not what is in them, and answers
the same each time, over uvicorn and grpc.aio.

The bare compiled call takes {call} ms; `import tensorflow` takes {seconds} s and {mib} MiB.
"""


def render(results: dict[str, Any], source: str, why: str = "") -> str:
    """The page for a saved run. why: a text that stands under the goals."""
    rows = results["rows"]
    rounds = max((len(row["rounds"]["rate"]) for row in loads(rows)), default=0)
    alone = bare(rows)
    head = HEAD.format(
        source=source,
        machine=about(results["machine"]),
        rounds=rounds,
        call=digits(alone["call_ms"]),
        seconds=digits(alone["import_seconds"]),
        mib=digits(alone["import_mib"]),
    )
    sections = [head, goals(rows), why, f"## Load\n\n{load_table(rows)}", absent(rows)]
    return "\n\n".join(section.strip() for section in sections if section.strip()) + "\n"


def about(machine: dict[str, str]) -> str:
    """The machine in one sentence."""
    libraries = ", ".join(f"{name} {machine[name]}" for name in ("tensorflow", "grpcio", "uvicorn") if name in machine)
    return (
        f"The machine: {machine['processor']}, {machine['cores']} cores, load {machine['load']} before the run,\n"
        f"{machine['system']}, Python {machine['python']}, {libraries}."
    )


def goals(rows: list[Row]) -> str:
    """What is asked and whether it is held, with all misses."""
    lines = ["## What is asked, and what is reached"]
    for title, asked in (("Must", MUST), ("Target", TARGETS)):
        lines += ["", f"| {title} | |", "|---|---|"]
        for goal in asked:
            word, misses = goal.verdict(rows)
            lines.append(f"| {goal.text} | **{word}**{''.join(f'<br>{miss}' for miss in misses)} |")
    return "\n".join(lines)


def load_table(rows: list[Row]) -> str:
    """A line for each server and form."""
    found: dict[tuple[str, str], dict[int, Row]] = {}
    for row in loads(rows):
        found.setdefault((row["server"], row["form"]), {})[row["concurrency"]] = row
    columns: dict[str, Callable[[Row], str]] = {
        "server": lambda line: line["first"]["server"],
        "": lambda line: {"rest": "REST", "grpc": "gRPC"}[line["first"]["form"]],
    }
    for concurrency in (1, 8, 32, 128):
        columns[str(concurrency)] = lambda line, at=concurrency: cell(line.get(at))  # type: ignore[misc]
    columns |= {
        "start s": lambda line: digits(line["first"]["start_seconds"]),
        "MiB": lambda line: digits(line["first"]["resident_mib"]),
        "errors": lambda line: str(sum(row["errors"] for at, row in line.items() if at != "first")),
    }
    lines: list[Row] = [{"first": next(iter(cells.values())), **cells} for cells in found.values()]  # type: ignore[dict-item]
    return table(columns, lines)


def cell(row: Row | None) -> str:
    """Answers a second / median / 99th percentile."""
    return "-" if row is None else f"{row['rate']:.0f} / {digits(row['p50'])} / {digits(row['p99'])}"


def absent(rows: list[Row]) -> str:
    """Who could not be measured."""
    names = [row["server"] for row in rows if row["part"] == "absent"]
    return f"Not measured in this run: {', '.join(names)}." if names else ""


def main(words: list[str]) -> int:
    """Reads the saved run, writes the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("results", type=Path, help="a file that `benchmarks.serving.servers --save` wrote")
    parser.add_argument("page", type=Path, help="the Markdown file to write")
    parser.add_argument("--why", type=Path, help="Markdown that stands under the goals: what a profile says of misses")
    asked = parser.parse_args(words)
    why = asked.why.read_text() if asked.why else ""
    asked.page.write_text(render(json.loads(asked.results.read_text()), asked.results.as_posix(), why))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
