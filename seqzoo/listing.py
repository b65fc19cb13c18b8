"""`seqzoo list` and `seqzoo info`: the zoo as a table, and one model's card, with the figures of the weights that come
along."""

from collections.abc import Iterator, Sequence

from models.zoo import ZOO, entry
from training.export.card import card
from training.figures import shown
from training.zoo.goals import GOALS, Goal
from training.zoo.record import Record, recorded

HEAD = ("model", "task", "data", "parameters", "size", "metric", "figure", "must", "target", "published")
RIGHT = {"parameters", "figure", "must", "target", "size"}
NONE = "-"


def table() -> Iterator[str]:
    """A line for each metric of each model; of a model whose weights do not come along its goals alone."""
    rows = [HEAD, *(row for name in sorted(ZOO) for row in _rows(name))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(HEAD, row, widths, strict=True)
        yield "  ".join(c.rjust(w) if name in RIGHT else c.ljust(w) for name, c, w in cells).rstrip()


def info(model: str) -> str:
    """The card, with the figures of the weights that come along, where some do."""
    text, found = card(entry(model).name), recorded(model)
    return text if found is None else "\n".join([text.rstrip(), "", *_figures(found), ""])


def _rows(name: str) -> Iterator[Sequence[str]]:
    known, found, goals = entry(name), recorded(name), GOALS.get(name, {})
    metrics = list(goals) or (list(found.figures) if found else [""])
    for number, metric in enumerate(metrics):
        goal = goals.get(metric)
        figure = shown(found.figures[metric], 3) if found and metric in found.figures else NONE
        aims = [NONE, NONE, NONE] if goal is None else [f"{goal.must:g}", f"{goal.target:g}", goal.published or NONE]
        network = [NONE, NONE] if found is None else [f"{found.parameters:,}", size_of(found.export_bytes)]
        said = [known.task, known.data or NONE, *network] if number == 0 else [""] * 4
        yield [name, *said, metric or NONE, figure, *aims]


def size_of(count: int) -> str:
    """Bytes as kB or MB, of a thousand and a million."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def _figures(found: Record) -> Iterator[str]:
    yield "## The weights that come along"
    yield ""
    for metric, value in found.figures.items():
        goal = GOALS.get(found.model, {}).get(metric)
        yield f"- {metric} {shown(value, 3)}{_interval(found, metric)}{_seeds(found, metric)}{_aims(goal)}"
    for contender, figures in found.baselines.items():
        yield f"- beside it {contender}: " + ", ".join(
            f"{metric} {shown(value, 3)}" for metric, value in figures.items()
        )
    trained = "" if found.training_seconds is None else f", trained in {found.training_seconds / 60:.1f} minutes"
    yield f"- {found.parameters:,} parameters{trained}, {found.precision}, exported {size_of(found.export_bytes)}"
    if found.run_id:
        yield f"- run {found.run_id}, seed {found.seed}, code {found.code_revision}"


def _interval(found: Record, metric: str) -> str:
    if metric not in found.intervals:
        return ""
    low, high = found.intervals[metric]
    return f" (95 % interval {shown(low, 3)} to {shown(high, 3)})"


def _seeds(found: Record, metric: str) -> str:
    said = [shown(figures[metric], 3) for _, figures in sorted(found.seeds.items()) if metric in figures]
    return f", seeds {', '.join(sorted(found.seeds))}: {', '.join(said)}" if len(said) > 1 else ""


def _aims(goal: Goal | None) -> str:
    if goal is None:
        return ""
    published = f", published: {goal.published}" if goal.published else ""
    return f"; must {goal.must:g}, target {goal.target:g}{published}"
