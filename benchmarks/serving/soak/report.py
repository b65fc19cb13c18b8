"""The page about the long tests, made from a saved run.

python -m benchmarks.serving.soak.report benchmarks/results/soak.json docs/soak.md
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.models.report import table
from benchmarks.serving.soak import goals

Row = dict[str, Any]
POINTS = 10  # of a run that the page shows

HEAD = """# The long tests of the server

`make soak` sends inputs at random to a server, then swaps versions under load; `make soak-sequences`, its other half,
puts sequences under faults ([what it found](sequences.md)). This page is made from `{source}`;
no number on it is typed by hand.
"""
MACHINE = """The machine: {processor}, {cores} cores, load {load} before the run, {system}, Python {python},
TensorFlow {tensorflow}.
"""
FUZZ = """## Inputs at random

{inputs} inputs, {distinct} of them different, in {seconds} s, seed {seed}: protobuf messages of every call's type and
JSON documents, made by [hypothesis](https://hypothesis.readthedocs.io); good messages, bodies and whole HTTP requests
with bytes changed; bytes alone; requests that [schemathesis](https://schemathesis.readthedocs.io) makes from the
server's own `/openapi.json`, and bodies that it does not allow, with answers held to it. After each input a good
request is sent over the same face. An answer is well if it comes within 30 s, with a status that the API knows and,
where it is an error, with a text. The server runs as a process of its own. Before the first input it is made to compile
a signature: XLA's compiler then stays in it, with its memory and its threads. A version that has compiled anything
holds some more threads until it is unloaded, so that a single round may have them and the next not.

{verdicts}

How the inputs were answered; *closed* is an HTTP request that was not whole, or not answered in 20 ms, when its end
was sent:

{answers}

What the process took: {before:.0f} MiB at the start, {after:.0f} MiB at the end{rounds}
"""
SWAPS = """## Swaps under load

{swaps} times a new version was put into place and took over from the one before, with {reloads} reloads that added a
second model or took it away, while {threads} callers asked without a pause over gRPC and REST: {grpc} answers over
gRPC and {rest} over REST in {seconds} s. Each answer was compared with the first.

{verdicts}

What the process took after the swap:

{points}
"""


def render(results: dict[str, Any], source: str) -> str:
    """The page for a saved run."""
    parts = [HEAD.format(source=source)]
    if not results["rows"]:
        parts.append("No run is saved so far.")
    for row in results["rows"]:
        parts += [_fuzz(row) if row["part"] == "fuzz" else _swaps(row), MACHINE.format(**row["machine"])]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _verdicts(row: Row) -> str:
    lines = [
        {"asked": each.asked, "": "**holds**" if each.holds else "**does not hold**", "found": each.found}
        for each in goals.verdicts(row)
    ]
    return _table(lines)


def _fuzz(row: Row) -> str:
    lines = []
    for kind, counts in row["answers"].items():
        by_number = sorted(counts.items(), key=lambda pair: -pair[1])
        said = ", ".join(f"{status} {count}" for status, count in by_number)
        lines.append({"input": kind, "number": str(sum(counts.values())), "answers": said})
    memory = {name: row[name]["resident_mib"] for name in ("before", "after")}
    taken = row.get("taken")  # not in older runs
    rounds = f"; after rounds of all kinds:\n\n{_points(taken, 'round')}" if taken else "."
    return FUZZ.format(**row | memory | {"verdicts": _verdicts(row), "answers": _table(lines), "rounds": rounds})


def _swaps(row: Row) -> str:
    answers = {face: row[face]["answers"] for face in ("grpc", "rest")}
    return SWAPS.format(**row | answers | {"verdicts": _verdicts(row), "points": _points(row["taken"], "swap")})


def _points(taken: list[list[float]], after: str) -> str:
    """What the process took after some of the swaps, or rounds."""
    chosen = sorted({round(at * len(taken) / POINTS) for at in range(1, POINTS + 1)} - {0} | {1})
    lines = []
    for number in chosen:
        mib, threads, files = taken[number - 1]
        lines.append({after: f"{number}", "MiB": f"{mib:.0f}", "threads": f"{threads:.0f}", "files": f"{files:.0f}"})
    return _table(lines)


def _table(lines: list[dict[str, str]]) -> str:
    return table({name: lambda line, n=name: line[n] for name in lines[0]}, lines)  # type: ignore[misc]


def main(words: list[str]) -> int:
    """Reads the saved run, writes the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("results", type=Path, help="a file that `benchmarks.serving.soak --save` wrote; absent: no run")
    parser.add_argument("page", type=Path, help="the Markdown file to write")
    asked = parser.parse_args(words)
    results = json.loads(asked.results.read_text()) if asked.results.exists() else {"rows": []}
    asked.page.write_text(render(results, asked.results.as_posix()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
