"""The page of figures of sequences and streams, made from saved runs.

python -m benchmarks.serving.sequences.report docs/sequences_performance.md benchmarks/results/sequences.json ...
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.models.report import command, digits, table
from benchmarks.serving.report import about, cell
from benchmarks.serving.sequences.goals import MIB_IN_MB, MUST, TARGETS
from benchmarks.serving.sequences.steps import ALONE, HELD, PASSED

Row = dict[str, Any]
FIGURES = ("rate", "p50", "p99")
FORMS = {"grpc": "gRPC", "rest": "REST"}
HEAD = """# How fast sequences are

Steps of sequences whose states the server keeps, beside a client that passes the states itself and beside servers
written by hand, on one machine. This page is made by `make bench-sequences` and `make bench-streams` from {sources}; no
number on it is typed by hand.

{machine}

Servers and load share the cores. Two models: char-lm of the zoo, untrained (its text is noise, its cost that of the
trained one), and two LSTM layers of 64 units. A request is one step of one of 1,000 live sequences, with its index, so
that it may be repeated. A cell has steps a second / median ms / 99th percentile ms over 1, 32 or 128 connections, the
median of {rounds}; in each pass every server is started anew. Ours runs with the flags of `make bench-serving`.
*states passed* is the same server asked through the stateless `step`; what the client does to take the states from one
answer into the next request costs nothing here. The hand-written servers keep a dictionary of states: FastAPI with a
plain function, LitServe with its batching, Ray Serve with an actor that batches. Redis writes no file here.
"""


def render(
    rows: list[Row], machine: dict[str, str], sources: list[str], why: str = "", commands: Sequence[list[str]] = ()
) -> str:
    """The page. why: a text that stands under the goals; commands: the words of each run, none where not known."""
    joined_rows, rounds = joined(rows)
    names = " and ".join(f"`{source}`" for source in sources)
    sections = [
        HEAD.format(sources=names, machine=about(machine), rounds="1 pass" if rounds == 1 else f"{rounds} passes"),
        command("benchmarks.serving.sequences", commands) if commands else "",
        _goals(joined_rows),
        why,
        *(_load(joined_rows, model) for model in dict.fromkeys(row["model"] for row in _of(joined_rows, "load"))),
        _added(_of(joined_rows, "added")),
        _threads(_of(joined_rows, "threads")),
        _live(_of(joined_rows, "live")),
        _streams(_of(joined_rows, "streams")),
        _absent(joined_rows),
    ]
    return "\n\n".join(section.strip() for section in sections if section.strip()) + "\n"


def joined(rows: list[Row]) -> tuple[list[Row], int]:
    """The rows with one for each model, server, way and concurrency, the median of the passes; how many they were."""
    places: dict[tuple[Any, ...], list[Row]] = {}
    for row in _of(rows, "load"):
        key = tuple(row[name] for name in ("model", "server", "kind", "form", "concurrency"))
        places.setdefault(key, []).append(row)
    found = []
    for passes in places.values():
        medians = {name: median(row[name] for row in passes) for name in FIGURES}
        found.append({**passes[0], **medians, "errors": sum(row["errors"] for row in passes)})
    return found + [row for row in rows if row["part"] != "load"], max(map(len, places.values()), default=0)


def _of(rows: list[Row], part: str) -> list[Row]:
    return [row for row in rows if row["part"] == part]


def _goals(rows: list[Row]) -> str:
    lines = ["## What is asked, and what is reached"]
    for title, asked in (("Must", MUST), ("Target", TARGETS)):
        lines += ["", f"| {title} | |", "|---|---|"]
        for goal in asked:
            word, misses = goal.verdict(rows)
            lines.append(f"| {goal.text} | **{word}**{''.join(f'<br>{miss}' for miss in misses)} |")
    return "\n".join(lines)


def _load(rows: list[Row], model: str) -> str:
    """A line for each server and way."""
    lines: dict[tuple[str, ...], dict[int, Row]] = {}
    for row in _of(rows, "load"):
        if row["model"] == model:
            lines.setdefault((row["server"], row["kind"], row["form"]), {})[row["concurrency"]] = row
    columns: dict[str, Callable[[Row], str]] = {"states": _whose, "": lambda line: FORMS[_any(line)["form"]]}
    for concurrency in sorted({at for line in lines.values() for at in line}):
        columns[str(concurrency)] = lambda line, at=concurrency: cell(line.get(at))  # type: ignore[misc]
    return f"## Steps of {model}\n\n{table(columns, list(lines.values()))}"  # type: ignore[arg-type]


def _any(line: Row) -> Row:
    found: Row = next(iter(line.values()))
    return found


def _whose(line: Row) -> str:
    row = _any(line)
    if row["kind"] == PASSED:
        return "passed by the client"
    return f"ours, {row['server']}" if row["kind"] == HELD else str(row["server"])


def _added(rows: list[Row]) -> str:
    if not rows:
        return ""
    columns: dict[str, Callable[[Row], str]] = {
        "model": lambda row: row["model"],
        "": lambda row: FORMS[row["form"]],
        "step of a sequence, ms": lambda row: f"{row[HELD]:.3f}",
        "the same call without states, ms": lambda row: f"{row[ALONE]:.3f}",
        "added, ms": lambda row: f"{row[HELD] - row[ALONE]:.3f}",
    }
    return f"## A lone step\n\nMedians over one connection, by turns.\n\n{table(columns, rows)}"


def _threads(rows: list[Row]) -> str:
    if not rows:
        return ""
    columns: dict[str, Callable[[Row], str]] = {
        "model": lambda row: row["model"],
        "states": lambda row: "kept by the server" if row["kind"] == HELD else "passed by the client",
        "": lambda row: FORMS[row["form"]],
        "connections": lambda row: str(row["concurrency"]),
        "from one answer to the next, us": lambda row: f"{row['step_us']:.0f}",
        "busiest thread, us": lambda row: f"{row['busiest_us']:.0f}",
        "other threads, us": lambda row: f"{row['others_us']:.0f}",
    }
    return f"""## Where a step's time goes

What a step takes of the two cores in the server, by its threads: the busiest one, which at 32 connections is the event
loop of the face and at one the thread that runs the model, and all others. The load takes what is left.

{table(columns, rows)}"""


def _live(rows: list[Row]) -> str:
    texts = []
    for row in rows:
        taken = (row["with_many_mib"] - row["idle_mib"]) * MIB_IN_MB
        warm = (row.get("warm_mib", row["idle_mib"]) - row["idle_mib"]) * MIB_IN_MB  # not in older runs
        of_these = f", {digits(warm)} MB of them by the warm-up with 1,000" if warm else ""
        texts.append(
            f"{row['sequences']:,} live sequences of {row['model']}, {row['state_bytes']:,} bytes of state each, take "
            f"{digits(taken)} MB over the idle server{of_these}. Steps a second over 32 connections: "
            f"{row['few']:.0f} among 1,000, {row['many']:.0f} among all."
        )
    return "## Many live sequences\n\n" + "\n\n".join(texts) if texts else ""


def _streams(rows: list[Row]) -> str:
    texts = []
    for row in rows:
        rates = ", ".join(f"{number}: {rate:.0f}" for number, rate in row["tokens_a_second"].items())
        same = ", ".join(f"{number}: {count}" for number, count in row["same_texts"].items())
        texts.append(
            f"Text of {row['model']} over HTTP. The first token comes {row['first_ms']} ms after the prompt's own run "
            f"of {row['prompt_ms']} ms. Tokens a second by the number of streams at once: {rates}. Streams whose text "
            f"is the one that their seed gives alone: {same}."
        )
    return "## Streams of text\n\n" + "\n\n".join(texts) if texts else ""


def _absent(rows: list[Row]) -> str:
    names = sorted({row["server"] for row in _of(rows, "absent")})
    return f"Not measured in this run: {', '.join(names)}." if names else ""


def main(words: list[str]) -> int:
    """Reads the saved runs, writes the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("page", type=Path, help="the Markdown file to write")
    parser.add_argument("results", type=Path, nargs="+", help="files that `--save` wrote; the first names the machine")
    parser.add_argument("--why", type=Path, help="Markdown that stands under the goals: what a profile says of misses")
    asked = parser.parse_args(words)
    saved = [json.loads(path.read_text()) for path in asked.results if path.exists()]
    names = [path.as_posix() for path in asked.results if path.exists()]
    rows = [row for one in saved for row in one["rows"]]
    why = asked.why.read_text() if asked.why else ""
    asked.page.write_text(render(rows, saved[0]["machine"], names, why, saved[0].get("commands", ())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
