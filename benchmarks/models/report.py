"""The page of figures, made from a saved run of the benchmark.

python -m benchmarks.models.report benchmarks/results/layers.json docs/performance.md
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.models.cases import TASKS
from benchmarks.models.contenders import CONTENDERS
from benchmarks.models.goals import MUST, STRICTER, TARGETS, Goal, doublings, growth_figures, mean_of_torch, of_layers

Row = dict[str, Any]
SHOWN = {"LSTM": "LSTM", "GRU": "GRU", "VanillaRNN": "Vanilla RNN"}

HEAD = """# How fast the layers are

Our `LSTM`, `GRU` and `VanillaRNN` beside those of `keras.layers` and `torch.nn`, on one machine in one run. This page
is made by `make bench-layers` from `{source}`; no number on it is typed by hand. Other pages:
[how fast the server is](serving_performance.md), [how fast sequences are](sequences_performance.md).

{machine}

{command}

A figure is the time of one call in milliseconds, float32: the median of the best half of {rounds} rounds, in which
all contenders take turns (ours in four forms, Keras in two, torch, and again), since other work on the machine only
ever adds time. *compiled* means `jit_compile=True`, *plain* without it, *halves* `engine="compiled"` without it;
*called* is the compiled form called by `models.compiled_call` (inference alone), the others by TensorFlow's concrete
function. Of our forms and of Keras's the fastest stands in a row, with its name; what our fastest form but *called*
reaches against Keras stands under *called alike*. A ratio says how many times as fast as the rival we are: above 1 is
faster; in brackets from the worst to the best of those rounds. But for *halves* ours is the layer on its fused engine.
Inputs are [batch, time, features] for all (torch's `batch_first`), outputs are those of all time steps. Before they
are timed, all contenders are held to the same outputs (2e-5) and gradients of inputs and weights (1e-4, relative to
the largest of each); the farthest lay {apart} apart.
"""

WHAT = {
    "steps": ("One step of one sequence", "One time step of one sequence, the state handed in and out."),
    "train": (
        "One training step of a whole model",
        "Two LSTM layers and a readout of 10 classes, cross-entropy, one step of Adam.",
    ),
    "first_calls": (
        "The first call",
        "Milliseconds from a fresh layer to its first result: tracing, compiling, one run.",
    ),
    "memory": (
        "Peak memory of a training step",
        "MiB beyond the imports, each contender in a process of its own: outputs and all gradients, with tracing and\n"
        "compiling. The last columns are ours by Keras's, like by like: below 1 is less than Keras.",
    ),
    "growth": (
        "Growth",
        "Our faster form, forward and backward, when time or batch doubles; in brackets the factor to the row above.",
    ),
}


def render(results: dict[str, Any], source: str, why: str = "") -> str:
    """The page for a saved run. why: a text that stands under the goals."""
    rows = results["rows"]
    timed = [row for row in rows if "apart" in row]
    rounds = max((len(times) for row in timed for times in row["rounds"].values()), default=0)
    apart = max((distance for row in timed for distance in row["apart"].values()), default=0.0)
    head = HEAD.format(
        source=source,
        machine=about(results["machine"]),
        command=command("benchmarks.models.layers", [results.get("command", [])]),
        rounds=rounds,
        apart=f"{apart:.0e}",
    )
    sections = [head, goals(rows), why.strip(), layers(rows)]
    tables = {"steps": timings, "train": timings, "first_calls": first_calls, "memory": memory, "growth": growth}
    for part, table in tables.items():
        of_part = [row for row in rows if row["part"] == part]
        if of_part:
            title, text = WHAT[part]
            sections.append(f"## {title}\n\n{text}\n\n{table(of_part)}")
    return "\n\n".join(section.strip() for section in sections if section) + "\n"


def about(machine: dict[str, str]) -> str:
    """The machine in one sentence."""
    libraries = ", ".join(f"{name} {machine[name]}" for name in ("tensorflow", "keras", "torch") if name in machine)
    return (
        f"The machine: {machine['processor']}, {machine['cores']} cores, {machine['threads']} threads for each, load\n"
        f"{machine['load']} before the run, {machine['system']}, Python {machine['python']}, {libraries}."
    )


def command(module: str, runs: Sequence[list[str]]) -> str:
    """How the figures were made. runs: the words of each run's command line."""
    lines = (f"`{shlex.join(['python', '-m', module, *words])}`" for words in runs)
    return f"Measured by {', then by '.join(lines)}."


def goals(rows: list[Row]) -> str:
    """What is asked and whether it is held, with all misses."""
    lines = ["## What is asked, and what is reached"]
    for title, asked in (("Must", MUST), ("Target", TARGETS), ("Must, read more strictly", STRICTER)):
        lines += ["", f"| {title} | |", "|---|---|"]
        lines += [f"| {goal.text} | {verdict(goal, rows)} |" for goal in asked]
    return "\n".join(lines)


def verdict(goal: Goal, rows: list[Row]) -> str:
    """One cell: the word, then the misses."""
    word, misses = goal.verdict(rows)
    return f"**{word}**" + "".join(f"<br>{miss}" for miss in misses)


def layers(rows: list[Row]) -> str:
    """A table for each recurrence and task, and the means."""
    of_part = [row for row in rows if row["part"] == "layers"]
    sections = []
    for kind, name in SHOWN.items():
        for task in ("forward", "gradients"):
            chosen = [row for row in of_part if (row["kind"], row["task"]) == (kind, task)]
            if chosen:
                sections.append(f"## {name}, {TASKS[task]}\n\n{timings(chosen, with_kind=False)}")
    means = [
        f"| {' and '.join(SHOWN[kind] for kind in kinds)} | {mean_of_torch(met):.2f} |"
        for kinds in (("LSTM",), ("GRU",), ("VanillaRNN",), ("LSTM", "VanillaRNN"))
        if (met := [row for row in of_part if of_layers(*kinds)(row)])
    ]
    if means:
        text = "Geometric mean of how many times as fast as torch, over sizes, forward and with backward:"
        sections.append("\n".join([text, "", "| | times torch |", "|---|---|", *means]))
    return "\n\n".join(sections)


def timings(rows: list[Row], *, with_kind: bool = True) -> str:
    """Milliseconds of the better of ours and of Keras's, of torch, and the ratios."""
    columns: dict[str, Callable[[Row], str]] = {"batch, time, input, units": sizes}
    if with_kind:
        columns = {"": lambda row: SHOWN[row["kind"]], **columns}
    columns |= {
        "ours": lambda row: best(row, "ours"),
        "Keras": lambda row: best(row, "keras"),
        "torch": lambda row: best(row, "torch"),
        "times Keras": lambda row: ratio(row.get("times_keras")),
        "times torch": lambda row: ratio(row.get("times_torch")),
    }
    if any("times_keras_called_alike" in row for row in rows):
        columns["times Keras, called alike"] = lambda row: ratio(row.get("times_keras_called_alike"))
    return table(columns, rows)


def first_calls(rows: list[Row]) -> str:
    """Milliseconds of all contenders."""
    what: dict[str, Callable[[Row], str]] = {"": lambda row: f"{SHOWN[row['kind']]}, {TASKS[row['task']]}"}
    return table({**what, "batch, time, input, units": sizes, **each(lambda row, name: cell(row["ms"], name))}, rows)


def memory(rows: list[Row]) -> str:
    """MiB of all contenders, and like against like."""
    what: dict[str, Callable[[Row], str]] = {
        "": lambda row: "classifier" if row["task"] == "train" else SHOWN[row["kind"]],
        "batch, time, input, units": sizes,
        **each(lambda row, name: cell(row["mib"], name)),
        "of Keras, plain": lambda row: like(row, "ours", "keras"),
        "of Keras, compiled": lambda row: like(row, "ours compiled", "keras compiled"),
    }
    return table(what, rows)


def like(row: Row, ours: str, theirs: str) -> str:
    """Our memory by Keras's."""
    return f"{row['mib'][ours]['median'] / row['mib'][theirs]['median']:.2f}"


def growth(rows: list[Row]) -> str:
    """Time and memory with the factor against the row before."""
    factors: dict[int, dict[str, str]] = {}
    for before, after in doublings(rows):
        found = growth_figures(before, after)
        factors[id(after)] = {what: f" ({large / small:.2f})" for what, (small, large) in found.items()}
    columns: dict[str, Callable[[Row], str]] = {
        "": lambda row: SHOWN[row["kind"]],
        "doubled": lambda row: row["doubled"],
        "batch, time, input, units": sizes,
        "ms": lambda row: best(row, "ours") + factors.get(id(row), {}).get("time", ""),
        "MiB": lambda row: digits(row["mib"][row["ours"]]) + factors.get(id(row), {}).get("memory", ""),
    }
    return table(columns, rows)


def each(cell_of: Callable[..., str]) -> dict[str, Callable[[Row], str]]:
    """A column for each contender."""
    return {name: partial(cell_of, name=name) for name in CONTENDERS}


def table(columns: dict[str, Callable[[Row], str]], rows: list[Row]) -> str:
    """A table of the page."""
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *(f"| {' | '.join(of(row) for of in columns.values())} |" for row in rows)])


def sizes(row: Row) -> str:
    """Batch, time, input, units."""
    return ", ".join(str(row[name]) for name in ("batch", "time", "features", "units"))


def best(row: Row, side: str) -> str:
    """Milliseconds of a side's faster form, with its name where there are two."""
    if side not in row:
        return "-"
    form = row[side]
    word = "" if side == "torch" else f" {form.split()[-1]}" if " " in form else " plain"
    return digits(row["ms"][form]["median"]) + word


def cell(figures: dict[str, Any], name: str) -> str:
    """One contender's figure, - where it was not measured."""
    return digits(figures[name]["median"]) if name in figures else "-"


def ratio(figure: dict[str, float] | None) -> str:
    """A ratio with its spread."""
    return "-" if figure is None else f"{figure['median']:.2f} ({figure['low']:.2f} to {figure['high']:.2f})"


def digits(value: float) -> str:
    """Three digits that count, no exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def main(words: list[str]) -> int:
    """Reads the saved run, writes the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("results", type=Path, help="a file that `benchmarks.models.layers --save` wrote")
    parser.add_argument("page", type=Path, help="the Markdown file to write")
    parser.add_argument("--why", type=Path, help="Markdown that stands under the goals: what a profile says of misses")
    asked = parser.parse_args(words)
    why = asked.why.read_text() if asked.why else ""
    asked.page.write_text(render(json.loads(asked.results.read_text()), asked.results.as_posix(), why))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
