"""The server's page of figures, made from a saved run of the benchmark.

python -m benchmarks.serving.report benchmarks/results/serving.json docs/serving_performance.md
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.models.report import command, digits, table
from benchmarks.serving.contenders import SEQUENCE, STEP
from benchmarks.serving.goals import MUST, TARGETS, bare, loads, of, request, same
from benchmarks.serving.load import NEEDED, PYTHON

Row = dict[str, Any]
FACES = {"rest": "REST", "grpc": "gRPC"}
TIMES = """How many times the rate of the other server ours has, above 1 is ahead; in brackets from our lowest pass by
its highest to the reverse:"""

HEAD = """# How fast the server is

Our server beside other Python servers, on one machine in one run. This page is made by `make bench-serving` from
`{source}`; no number on it is typed by hand.

{machine}

{command}

Servers and load share the cores. The model has two LSTM layers of 64 units; a request is one sequence [1, 64, 16] of
float32{steps}, JSON over REST, a `PredictRequest` over gRPC.
{tools} asks it again and again over 1, 8, 32 or 128 connections. A cell has answers a second / median ms / 99th
percentile ms, the median of the passes ({rounds} here), in brackets the lowest and the highest rate of them; in each
pass every server is started anew. *ours* runs with `--enable_batching`, `--compile_signatures`,
`--tensorflow_intra_op_parallelism=1`, `--grpc_max_threads=40` and
[these parameters](../benchmarks/serving/batching_parameters.txt). The rivals are set up as their documentation
recommends, with their batching on where they have one; *our call inside* means that the rival calls the model by our
compiled form, so that only the server differs. *echo* reads the bytes of the request, not what is in them, and answers
the same each time, over uvicorn and grpc.aio.
{errors}

The bare compiled call takes {call} ms{step}; `import tensorflow` takes {seconds} s and {mib} MiB.
"""


def render(results: dict[str, Any], source: str, why: str = "", parts: dict[str, Any] | None = None) -> str:
    """The page for a saved run. why: a text that stands under the goals; parts: a saved run of the profile."""
    rows = results["rows"]
    rounds = max((len(row["rounds"]["rate"]) for row in loads(rows)), default=0)
    alone = bare(rows)
    head = HEAD.format(
        source=source,
        machine=about(results["machine"]),
        command=command("benchmarks.serving.servers", results.get("commands") or [results["command"]]),
        steps=", or one time step [1, 1, 16] with its four states" if STEP in map(request, loads(rows)) else "",
        tools=tools(rows),
        errors=errors(rows),
        rounds=rounds,
        call=digits(alone["call_ms"]),
        step=f", {digits(alone['step_ms'])} ms for one step" if "step_ms" in alone else "",
        seconds=digits(alone["import_seconds"]),
        mib=digits(alone["import_mib"]),
    )
    sections = [head, goals(rows), why]
    for title, name in (("Load", SEQUENCE), ("Load, one step", STEP)):
        chosen = [row for row in loads(rows) if request(row) == name]
        if chosen:
            sections += [f"## {title}", load_table(chosen), times_table(chosen)]
    sections += [absent(rows), profile(parts) if parts else ""]
    return "\n\n".join(section.strip() for section in sections if section.strip()) + "\n"


def about(machine: dict[str, str]) -> str:
    """The machine in one sentence."""
    libraries = ", ".join(f"{name} {machine[name]}" for name in ("tensorflow", "grpcio", "uvicorn") if name in machine)
    return (
        f"The machine: {machine['processor']}, {machine['cores']} cores, load {machine['load']} before the run,\n"
        f"{machine['system']}, Python {machine['python']}, {libraries}."
    )


def tools(rows: list[Row]) -> str:
    """What made the load; older runs have it from both programs."""
    found = dict.fromkeys(row.get("tool", NEEDED[row["form"]]) for row in loads(rows))
    return " or ".join(f"{name} (its own work shares the cores)" if name == PYTHON else name for name in found)


def errors(rows: list[Row]) -> str:
    """How far those of gRPC are seen."""
    found = [row["tool"] for row in loads(rows) if row["form"] == "grpc" and "tool" in row]
    if not found:  # older runs
        return "Errors of gRPC, which h2load does not see, are not counted; an answer is checked before and after."
    if "h2load" not in found:
        return ""
    return (
        "h2load does not see errors of gRPC, which have no message: answers that the bytes of all messages do not\n"
        "suffice for are counted as errors."
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
    """A line for each server and form, of one request."""
    found: dict[tuple[str, str], dict[int, Row]] = {}
    for row in loads(rows):
        found.setdefault((row["server"], row["form"]), {})[row["concurrency"]] = row
    columns: dict[str, Callable[[Row], str]] = {
        "server": lambda line: line["first"]["server"],
        "": lambda line: FACES[line["first"]["form"]],
    }
    for concurrency in connections(rows):
        columns[str(concurrency)] = lambda line, at=concurrency: cell(line.get(at))  # type: ignore[misc]
    columns |= {
        "start s": lambda line: digits(line["first"]["start_seconds"]),
        "MiB": lambda line: digits(line["first"]["resident_mib"]),
        "errors": lambda line: str(sum(row["errors"] for at, row in line.items() if at != "first")),
    }
    lines: list[Row] = [{"first": next(iter(cells.values())), **cells} for cells in found.values()]  # type: ignore[dict-item]
    return table(columns, lines)


def connections(rows: list[Row]) -> list[int]:
    """Their numbers."""
    return sorted({row["concurrency"] for row in rows})


def cell(row: Row | None) -> str:
    """Answers a second, with their spread where there are several passes / median / 99th percentile."""
    if row is None:
        return "-"
    rates = row.get("rounds", {}).get("rate", ())
    spread = f" ({min(rates):.0f} to {max(rates):.0f})" if len(rates) > 1 else ""
    return f"{row['rate']:.0f}{spread} / {digits(row['p50'])} / {digits(row['p99'])}"


def times_table(rows: list[Row]) -> str:
    """How many times the rate of each other server ours has, of one request; the echo stands for its own face alone."""
    found: dict[tuple[str, str, str], dict[int, tuple[Row, Row]]] = {}
    for mine in of(rows, "ours"):
        for its in rows:
            other = its["server"] != "ours" and (its["server"] != "echo" or its["form"] == mine["form"])
            if other and same(mine, its):
                key = (mine["form"], its["server"], its["form"])
                found.setdefault(key, {})[mine["concurrency"]] = (mine, its)
    columns: dict[str, Callable[[Row], str]] = {
        "ours over": lambda line: FACES[line["key"][0]],
        "by": lambda line: f"{line['key'][1]} ({FACES[line['key'][2]]})",
    }
    for concurrency in connections(rows):
        columns[str(concurrency)] = lambda line, at=concurrency: times(line["pairs"].get(at))  # type: ignore[misc]
    lines = [{"key": key, "pairs": pairs} for key, pairs in found.items()]
    return f"{TIMES}\n\n{table(columns, lines)}" if lines else ""


def times(pair: tuple[Row, Row] | None) -> str:
    """Our rate by another's, and from our lowest by its highest to the reverse where there are several passes."""
    if pair is None:
        return "-"
    mine, its = pair
    ours, theirs = mine["rounds"]["rate"], its["rounds"]["rate"]
    middle = f"{mine['rate'] / its['rate']:.2f}"
    if len(ours) == len(theirs) == 1:
        return middle
    return f"{middle} ({min(ours) / max(theirs):.2f} to {max(ours) / min(theirs):.2f})"


def absent(rows: list[Row]) -> str:
    """Who could not be measured."""
    names = [row["server"] for row in rows if row["part"] == "absent"]
    return f"Not measured in this run: {', '.join(names)}." if names else ""


def parts_table(rows: list[Row]) -> str:
    """What parts of an answer take, as `benchmarks.serving.profile` has measured."""
    return table({"part": lambda row: row["what"], "us": lambda row: digits(row["us"])}, rows)


def profile(saved: dict[str, Any]) -> str:
    """What the parts take alone."""
    by = command("benchmarks.serving.profile", [saved["command"]])
    return f"## The parts alone\n\n{about(saved['machine'])}\n{by}\n\n{parts_table(saved['rows'])}"


def main(words: list[str]) -> int:
    """Reads the saved run, writes the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("results", type=Path, help="a file that `benchmarks.serving.servers --save` wrote")
    parser.add_argument("page", type=Path, help="the Markdown file to write")
    parser.add_argument("--why", type=Path, help="Markdown that stands under the goals: what a profile says of misses")
    parser.add_argument("--parts", type=Path, help="a file that `benchmarks.serving.profile --save` wrote")
    asked = parser.parse_args(words)
    why = asked.why.read_text() if asked.why else ""
    parts = json.loads(asked.parts.read_text()) if asked.parts else None
    asked.page.write_text(render(json.loads(asked.results.read_text()), asked.results.as_posix(), why, parts))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
