"""What we ask of our layers' speed and memory, and whether a run of the benchmark holds it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmarks.models.contenders import CALLED, KERAS, OURS
from benchmarks.models.ratios import geometric_mean

Row = dict[str, Any]
TIMED = ("layers", "steps", "train")
OF_TORCH, MEAN_OF_TORCH, DOUBLED = 0.55, 1.2, 2.0


@dataclass(frozen=True)
class Miss:
    """Where, what was reached, what was asked; close: the asked figure lies within the spread."""

    where: str
    reached: float
    asked: float
    close: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.reached:.3g}, asked {self.asked:g}" + " (within the spread)" * self.close


@dataclass(frozen=True)
class Goal:
    """misses(rows): where it is not held. needs(row): whether a row can tell; none that can means not measured.

    prepared(rows): the run's rows with what has to be read of several of them at once.
    """

    text: str
    needs: Callable[[Row], bool]
    misses: Callable[[list[Row]], Iterator[Miss]]
    prepared: Callable[[list[Row]], list[Row]] = list

    def verdict(self, rows: list[Row]) -> tuple[str, list[Miss]]:
        """ "held", "missed" or "not measured", and the misses."""
        able = [row for row in self.prepared(rows) if self.needs(row)]
        missed = list(self.misses(able))
        return ("missed" if missed else "held") if able else "not measured", missed


def place(row: Row) -> str:
    """A row's name in a sentence."""
    sizes = ", ".join(str(row[name]) for name in ("batch", "time", "features", "units"))
    part = {"steps": "one step", "train": "training step of the classifier"}.get(row["part"], row["task"])
    return f"{row['kind']} {part} ({sizes})"


def below(key: str, asked: float) -> Callable[[list[Row]], Iterator[Miss]]:
    """Rows where we are fewer than `asked` times as fast as a rival."""

    def misses(rows: list[Row]) -> Iterator[Miss]:
        for row in rows:
            ratio = row[key]
            if ratio["median"] < asked:
                yield Miss(place(row), ratio["median"], asked, ratio["high"] >= asked)

    return misses


def mean_below(asked: float, where: str) -> Callable[[list[Row]], Iterator[Miss]]:
    """The geometric mean of the rows' speed against torch."""

    def misses(rows: list[Row]) -> Iterator[Miss]:
        if rows and (mean := mean_of_torch(rows)) < asked:
            yield Miss(where, mean, asked)

    return misses


def mean_of_torch(rows: list[Row]) -> float:
    """The geometric mean of how many times as fast as torch."""
    return geometric_mean(row["times_torch"]["median"] for row in rows)


def above_keras_memory(rows: list[Row]) -> Iterator[Miss]:
    """Like against like: plain against plain, compiled against compiled."""
    for row in rows:
        for ours, theirs in zip(OURS, KERAS, strict=False):
            mine, its = row["mib"][ours], row["mib"][theirs]
            if mine["median"] > its["median"]:
                close = mine["low"] <= its["high"]
                yield Miss(f"{place(row)}, {ours}", mine["median"] / its["median"], 1.0, close)


def with_named_forms(rows: list[Row]) -> list[Row]:
    """The rows of memory, each with the forms that the row of its speed names: our fastest, and Keras's."""
    named = {same(row): (row["ours"], row["keras"]) for row in rows if row["part"] in TIMED and "keras" in row}
    return [{**row, "forms": named[same(row)]} for row in rows if row["part"] == "memory" and same(row) in named]


def same(row: Row) -> tuple[Any, ...]:
    """What rows of two parts that tell of the same case have in common."""
    return tuple(row[name] for name in ("kind", "task", "batch", "time", "features", "units"))


def above_the_named_form(rows: list[Row]) -> Iterator[Miss]:
    """The form that is praised for its speed against the form of Keras that it is praised above."""
    for row in rows:
        ours, theirs = row["forms"]
        mine, its = row["mib"][ours], row["mib"][theirs]
        if mine["median"] > its["median"]:
            where = f"{place(row)}, {ours} against {theirs}"
            yield Miss(where, mine["median"] / its["median"], 1.0, mine["low"] <= its["high"])


def with_calls_alike(rows: list[Row]) -> list[Row]:
    """The timed rows that tell how fast we are without `compiled_call`, which Keras is not given."""
    found = []
    for row in rows:
        ratio = row.get("times_keras_called_alike", row.get("times_keras") if row.get("ours") != CALLED else None)
        if row["part"] in TIMED and ratio is not None:
            found.append({**row, "alike": ratio})
    return found


def growth_above(rows: list[Row]) -> Iterator[Miss]:
    """Each row against the one with half its time, or batch."""
    for before, after in doublings(rows):
        for what, (small, large) in growth_figures(before, after).items():
            if large / small > DOUBLED:
                where = f"{place(after)}, {what} with {after['doubled']} doubled"
                yield Miss(where, large / small, DOUBLED, what == "time" and least_growth(before, after) <= DOUBLED)


def doublings(rows: list[Row]) -> list[tuple[Row, Row]]:
    """Pairs of rows of which the second has twice the time, or batch, of the first."""
    pairs = pairwise(rows)
    return [
        (before, after)
        for before, after in pairs
        if (before["kind"], before["doubled"]) == (after["kind"], after["doubled"])
    ]


def growth_figures(before: Row, after: Row) -> dict[str, tuple[float, float]]:
    """Time and memory of both, each of the form that is the faster one after the doubling."""
    form = after["ours"]
    figures = {"time": (before["ms"][form]["median"], after["ms"][form]["median"])}
    if form in before["mib"]:
        figures["memory"] = (before["mib"][form], after["mib"][form])
    return figures


def least_growth(before: Row, after: Row) -> float:
    """How much longer the second takes by the best rounds: its lowest time by the highest of the first."""
    form = after["ours"]
    return float(after["ms"][form]["low"] / before["ms"][form]["high"])


def of_layers(*kinds: str) -> Callable[[Row], bool]:
    """Rows of one layer that have met torch."""
    return lambda row: row["part"] == "layers" and row["kind"] in kinds and "times_torch" in row


def torch_is_to_be_met(row: Row) -> bool:
    """All rows of one layer but the LSTM forward with a batch of 16 and more."""
    large_forward = row["kind"] == "LSTM" and row["task"] == "forward" and row["batch"] >= 16
    return of_layers("LSTM", "GRU", "VanillaRNN")(row) and not large_forward


def lstm_training(row: Row) -> bool:
    """Forward and backward of the LSTM."""
    return of_layers("LSTM")(row) and row["task"] == "gradients"


MUST = [
    Goal(
        "never slower than the better form of Keras",
        lambda row: row["part"] in TIMED and "times_keras" in row,
        below("times_keras", 1.0),
    ),
    Goal(
        f"at least {OF_TORCH:g} of torch's speed on every row",
        lambda row: row["part"] in TIMED and "times_torch" in row,
        below("times_torch", OF_TORCH),
    ),
    Goal(
        f"LSTM and vanilla RNN at least {MEAN_OF_TORCH:g} times as fast as torch in the geometric mean",
        of_layers("LSTM", "VanillaRNN"),
        mean_below(MEAN_OF_TORCH, "LSTM and VanillaRNN, forward and gradients"),
    ),
    Goal(
        "peak memory of a training step not above that of Keras in the same form",
        lambda row: row["part"] == "memory",
        above_keras_memory,
    ),
    Goal(
        "doubling time or batch at most doubles time and memory",
        lambda row: row["part"] == "growth",
        growth_above,
    ),
]
TARGETS = [
    Goal(
        "at least torch's speed on every row but the LSTM forward with a batch of 16 and more",
        torch_is_to_be_met,
        below("times_torch", 1.0),
    ),
    Goal(
        "training the LSTM (forward and backward) ahead of torch in the geometric mean",
        lstm_training,
        mean_below(1.0, "LSTM gradients"),
    ),
]
STRICTER = [
    Goal(
        "never slower than the better form of Keras, called alike",
        lambda row: True,
        below("alike", 1.0),
        with_calls_alike,
    ),
    Goal(
        "peak memory of a training step, in the form that is the fastest, not above that of Keras's fastest",
        lambda row: all(form in row["mib"] for form in row["forms"]),
        above_the_named_form,
        with_named_forms,
    ),
]
