"""The arithmetic from rounds to what is reported.

A contender's figure is the median of its best half of rounds: other work on the machine only ever adds time. A ratio
says how many times as fast we are; its low and high come from the best rounds of both, at our worst and at our best.
"""

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.models.contenders import CALLED, KERAS, OURS, TORCH

Rounds = Mapping[str, list[float]]


@dataclass(frozen=True)
class Figure:
    """The median of the best rounds, and the lowest and highest of these."""

    median: float
    low: float
    high: float


def best_half(rounds: list[float]) -> list[float]:
    """The lower half of the rounds, the middle one included."""
    return sorted(rounds)[: math.ceil(len(rounds) / 2)]


def figure(rounds: list[float]) -> Figure:
    """What is reported of one contender."""
    best = best_half(rounds)
    return Figure(statistics.median(best), best[0], best[-1])


def times_as_fast(ours: list[float], rivals: list[float]) -> Figure:
    """The rival's time by ours, above 1 when we are faster."""
    mine, theirs = figure(ours), figure(rivals)
    return Figure(theirs.median / mine.median, theirs.low / mine.high, theirs.high / mine.low)


def better(rounds: Rounds, names: Iterable[str]) -> str | None:
    """The fastest of those names that were measured, None when none was."""
    measured = [name for name in names if name in rounds]
    return min(measured, key=lambda name: figure(rounds[name]).median) if measured else None


def comparison(rounds: Rounds) -> dict[str, object]:
    """A row's figures: milliseconds of each, which of our forms and of Keras's is the better, the ratios."""
    ours = better(rounds, OURS)
    if ours is None:
        raise ValueError(f"none of {', '.join(OURS)} was measured; the rounds are of {', '.join(rounds) or 'nobody'}.")
    row: dict[str, object] = {"ms": {name: vars(figure(times)) for name, times in rounds.items()}, "ours": ours}
    for side, names in (("keras", KERAS), ("torch", TORCH)):
        rival = better(rounds, names)
        if rival is not None:
            row[side] = rival
            row[f"times_{side}"] = vars(times_as_fast(rounds[ours], rounds[rival]))
    alike = better(rounds, [name for name in OURS if name != CALLED])
    if CALLED in rounds and alike and "keras" in row:
        row["times_keras_called_alike"] = vars(times_as_fast(rounds[alike], rounds[str(row["keras"])]))
    return row


def geometric_mean(ratios: Iterable[float]) -> float:
    """The mean that treats twice as fast and half as fast alike."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
