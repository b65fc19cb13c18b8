"""A figure as a function of sums over examples, and how far another draw of the examples could move it.

    figure = of( sum_i terms_i )        interval: the middle 95 % of the figure over resamples of the examples

Bootstrap by percentiles: Efron 1979. Examples that resemble their neighbours, as time steps do, are drawn in blocks of
neighbours, from the last on to the first: Politis & Romano 1992.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
LEAST_PERCENT, MOST_PERCENT = 2.5, 97.5


@dataclass(frozen=True, eq=False)
class Outcome:
    """What each example adds to a figure.

    terms [examples, n]; of: their sums [..., n] to the figure [...]; block: how many neighbours are drawn together."""

    terms: np.ndarray
    of: Callable[[np.ndarray], np.ndarray]
    block: int = 1

    def figure(self) -> float:
        """The figure of all examples."""
        return float(self.of(self.terms.sum(axis=0)))

    def interval(self, seed: int = 0) -> tuple[float, float]:
        """The 95 % interval of the figure, by `RESAMPLES` resamples."""
        examples = len(self.terms)
        block = min(self.block, examples)
        around = np.concatenate([self.terms, self.terms[: block - 1]])
        sums = np.cumsum(np.concatenate([np.zeros((1, around.shape[1])), around]), axis=0)
        blocks = sums[block:] - sums[:-block]  # [examples, n], one from each example on
        rng, drawn = np.random.default_rng(seed), max(1, round(examples / block))
        figures = [self.of(blocks[rng.integers(examples, size=drawn)].sum(axis=0)) for _ in range(RESAMPLES)]
        low, high = np.percentile(figures, [LEAST_PERCENT, MOST_PERCENT])
        return float(low), float(high)


def mean_of(values: np.ndarray, block: int = 1) -> Outcome:
    """The mean of a value for each example, [examples]."""
    return rate_of(values, np.ones(len(values)), block)


def rate_of(amounts: np.ndarray, counts: np.ndarray, block: int = 1) -> Outcome:
    """The sum of amounts over the sum of counts, [examples] each: a mean over parts of which examples have several."""
    terms = np.stack([np.asarray(amounts, np.float64), np.asarray(counts, np.float64)], axis=-1)
    return Outcome(terms, lambda sums: sums[..., 0] / np.maximum(sums[..., 1], np.finfo(float).tiny), block)


def f1_of(right: np.ndarray, said: np.ndarray, true: np.ndarray) -> Outcome:
    """The F1 of what is found, from counts of each example: found and right, found, to be found; [examples] each."""
    terms = np.stack([np.asarray(counts, np.float64) for counts in (right, said, true)], axis=-1)
    return Outcome(terms, lambda sums: 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1))
