"""The page of the zoo, made from the records that come along.

python -m training.zoo.page docs/zoo.md
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from models.zoo import ZOO, entry
from training.export.packed import MEGABYTE
from training.zoo.goals import GOALS
from training.zoo.record import Record, all_recorded

HEAD = """# The zoo, measured

Made by `python -m training.zoo.page docs/zoo.md` from the recorded runs, `models/weights/NAME/record.json`; `make zoo`
trains everything anew, records it and writes this page. `seqzoo evaluate NAME` prints the figures of a row again: those
of the weights that come along, on the test data, which chose nothing.
"""

READING = """The interval is the middle 95 % of 1,000 bootstrap resamples of the test examples; neighbours in time are
drawn together, a week at a time. The seeds are runs with the same settings, the first of them the one whose weights
come along. "Reached" names the furthest of must, target and moonshot that the figure reaches. Beside it are plain
guesses, fitted and measured by the same command. Figures in nats, errors in z-scores or degrees Celsius, shares from 0
to 1.
"""

COSTS = """Training time is that of the recorded run by the wall clock, on {cores} CPU cores that had other work too.
Latency is the median of one call of `serving_default` with one example, in process, on the same cores. Half precision
(float16) is kept where it changes no figure in four digits.
"""

FIGURES = ("model", "metric", "figure", "95 % interval", "seeds", "must", "target", "reached", "beside it", "published")
COST_COLUMNS = ("model", "parameters", "training", "export", "comes along", "latency")
RUN_COLUMNS = ("model", "data", "seed", "run", "code")


def page(records: Mapping[str, Record]) -> str:
    """The page as Markdown, of the models that have a record."""
    known = {name: records[name] for name in sorted(ZOO) if name in records}
    lines = [HEAD, "## Figures", "", *_table(FIGURES, (row for each in known.values() for row in _figures(each)))]
    lines += ["", READING, "## Costs", "", *_table(COST_COLUMNS, map(_costs, known.values()))]
    cores = max((each.cores for each in known.values()), default=0)
    lines += ["", COSTS.format(cores=cores), "## Runs", "", *_table(RUN_COLUMNS, map(_run, known.values())), ""]
    return "\n".join(lines)


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _figures(found: Record) -> Iterator[tuple[str, ...]]:
    goals = GOALS.get(found.model, {})
    for metric in [*goals, *(name for name in found.figures if name not in goals)]:
        value, goal = found.figures[metric], goals.get(metric)
        low_high = " to ".join(f"{bound:.3f}" for bound in found.intervals.get(metric, ()))
        seeds = ", ".join(f"{figures[metric]:.3f}" for _, figures in sorted(found.seeds.items()))
        guesses = ", ".join(f"{name} {figures[metric]:.3f}" for name, figures in found.baselines.items())
        aims = ("", "", "", "") if goal is None else (
            f"{goal.must:g}", f"{goal.target:g}", goal.reached(value) or "none", goal.published
        )  # fmt: skip
        must, target, reached, published = aims
        yield f"`{found.model}`", metric, f"{value:.3f}", low_high, seeds, must, target, reached, guesses, published


def _costs(found: Record) -> tuple[str, ...]:
    training = "none" if found.training_seconds is None else f"{found.training_seconds / 60:.1f} min"
    along = f"{found.weights_bytes / MEGABYTE:.2f} MiB, {found.precision}" if found.weights_bytes else "made when built"
    export = f"{found.export_bytes / MEGABYTE:.2f} MiB"
    return f"`{found.model}`", f"{found.parameters:,}", training, export, along, f"{found.latency_ms:.2f} ms"


def _run(found: Record) -> tuple[str, ...]:
    seed = "" if found.seed is None else str(found.seed)
    return f"`{found.model}`", entry(found.model).data or "", seed, found.run_id[:12], found.code_revision[:12]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(all_recorded()), encoding="utf-8")
