"""The page of the zoo, made from the records that come along.

python -m training.zoo.page docs/zoo.md
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from models.zoo import ZOO, entry
from training.export.packed import MEGABYTE
from training.figures import shown
from training.zoo import variants
from training.zoo.goals import GOALS, Goal
from training.zoo.record import Record, all_recorded
from training.zoo.variants import VARIANTS

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

OTHERS = """The same networks with another horizon, for one series, or with `--data` of another language (SIGMORPHON
2021, task 1, medium). Their weights do not come along; `python -m training.zoo.variants` trains and measures them and
keeps this table in `models/weights/NAME/variants.json`.
"""

COSTS = """Training time is that of the recorded run by the wall clock, on {cores} CPU cores that had other work too.
Latency is the median of one call of `serving_default` with one example, in process, on the same cores. Half precision
(float16) is kept where it changes no digit that `seqzoo evaluate` prints.
"""

FIGURES = ("model", "metric", "figure", "95 % interval", "seeds", "must", "target", "reached", "beside it", "published")
OTHER_COLUMNS = ("model", "of", *FIGURES[2:], "training")
COST_COLUMNS = ("model", "parameters", "training", "export", "comes along", "latency")
RUN_COLUMNS = ("model", "data", "seed", "run", "code")


def page(records: Mapping[str, Record], others: Mapping[str, Mapping[str, Record]]) -> str:
    """The page as Markdown, of the models that have a record; others: of their variants, by model and name."""
    known = {name: records[name] for name in sorted(ZOO) if name in records}
    lines = [HEAD, "## Figures", "", *_table(FIGURES, (row for each in known.values() for row in _figures(each)))]
    lines += ["", READING]
    if others:
        lines += ["## Other settings, other data", "", OTHERS, *_table(OTHER_COLUMNS, _others(others)), ""]
    lines += ["## Costs", "", *_table(COST_COLUMNS, map(_costs, known.values()))]
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
        yield f"`{found.model}`", metric, *_figure(found, metric, goals.get(metric))


def _others(others: Mapping[str, Mapping[str, Record]]) -> Iterator[tuple[str, ...]]:
    for variant in VARIANTS:
        found = others.get(variant.model, {}).get(variant.name)
        if found is not None:
            cells = _figure(found, variant.metric, variant.goal)
            yield f"`{variant.model}`", f"{variant.name}, {variant.metric}", *cells, _training(found)


def _figure(found: Record, metric: str, goal: Goal | None) -> tuple[str, ...]:
    value = found.figures[metric]
    low_high = " to ".join(shown(bound, 3) for bound in found.intervals.get(metric, ()))
    seeds = ", ".join(shown(figures[metric], 3) for _, figures in sorted(found.seeds.items()))
    guesses = ", ".join(
        f"{name} {shown(figures[metric], 3)}" for name, figures in found.baselines.items() if metric in figures
    )
    must, target, reached, published = ("", "", "", "") if goal is None else (
        f"{goal.must:g}", f"{goal.target:g}", goal.reached(value) or "none", goal.published
    )  # fmt: skip
    return shown(value, 3), low_high, seeds, must, target, reached, guesses, published


def _training(found: Record) -> str:
    return "none" if found.training_seconds is None else f"{found.training_seconds / 60:.1f} min"


def _costs(found: Record) -> tuple[str, ...]:
    along = f"{found.weights_bytes / MEGABYTE:.2f} MiB, {found.precision}" if found.weights_bytes else "made when built"
    export = f"{found.export_bytes / MEGABYTE:.2f} MiB"
    return f"`{found.model}`", f"{found.parameters:,}", _training(found), export, along, f"{found.latency_ms:.2f} ms"


def _run(found: Record) -> tuple[str, ...]:
    seed = "" if found.seed is None else str(found.seed)
    return f"`{found.model}`", entry(found.model).data or "", seed, found.run_id[:12], found.code_revision[:12]


def kept() -> str:
    """The page of the records that come along."""
    return page(all_recorded(), variants.all_recorded())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(kept(), encoding="utf-8")
