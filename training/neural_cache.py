"""A cache of what was just read: words of the last pages become likelier again where the text looks alike.

    p(w) = (1 - lambda) p_model(w) + lambda p_cache(w)
    p_cache(w) ~ sum over i < t with x_(i+1) = w of exp( theta h_t . h_i )

h_t: what the top layer shows at step t; x_(i+1): the word that followed step i; i goes back `window` steps. Nothing is
trained. Grave, Joulin & Usunier 2017 (arXiv 1612.04426).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

THETAS = (0.1, 0.2, 0.3, 0.45, 0.6, 0.8)  # what `chosen` tries, each with each
WEIGHTS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
BLOCK = 256  # steps that are looked at together


@dataclass(frozen=True)
class NeuralCache:
    """window: steps that it holds; theta: how much likeness counts; weight: lambda, its share of the probability."""

    window: int
    theta: float
    weight: float

    def nats(self, nats: np.ndarray, hidden: np.ndarray, following: np.ndarray) -> np.ndarray:
        """-log p [time] of each word that follows, from the model's [time], hidden [time, units], following [time]."""
        return self._mixed(nats, self.known(hidden, following))

    def known(self, hidden: np.ndarray, following: np.ndarray) -> np.ndarray:
        """p_cache [time] of each word that follows."""
        blocks = [
            self._of_cache(hidden, following, begin, min(begin + BLOCK, len(following)))
            for begin in range(0, len(following), BLOCK)
        ]
        return np.concatenate([np.zeros(0), *blocks])

    def _mixed(self, nats: np.ndarray, known: np.ndarray) -> np.ndarray:
        weight = np.full(len(nats), self.weight)
        weight[:1] = 0  # nothing has been read
        return np.asarray(-np.log((1 - weight) * np.exp(-np.asarray(nats, np.float64)) + weight * known))

    def _of_cache(self, hidden: np.ndarray, following: np.ndarray, begin: int, end: int) -> np.ndarray:
        """p_cache of the word that follows each step from begin to before end."""
        first = max(0, begin - self.window)
        steps, past = np.arange(begin, end)[:, None], np.arange(first, end)[None]
        held = (past < steps) & (past >= steps - self.window)
        likeness = np.where(held, self.theta * (hidden[begin:end] @ hidden[first:end].T), -np.inf)
        most = np.maximum(likeness.max(axis=1, keepdims=True), np.finfo(np.float32).min)
        shares = np.exp(likeness - most)
        same = following[begin:end, None] == following[None, first:end]
        total = shares.sum(axis=1, dtype=np.float64)
        return (shares * same).sum(axis=1, dtype=np.float64) / np.maximum(total, np.finfo(np.float64).tiny)


def chosen(window: int, stretches: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> NeuralCache:
    """The cache that says most of these stretches, each its nats, hidden and following as `NeuralCache.nats` takes."""
    known = {
        theta: [NeuralCache(window, theta, 0).known(hidden, following) for _, hidden, following in stretches]
        for theta in THETAS
    }

    def mean(cache: NeuralCache) -> float:
        mixed = [cache._mixed(nats, one) for (nats, _, _), one in zip(stretches, known[cache.theta], strict=True)]
        return float(np.mean(np.concatenate(mixed)))

    return min((NeuralCache(window, theta, weight) for theta, weight in product(THETAS, WEIGHTS)), key=mean)
