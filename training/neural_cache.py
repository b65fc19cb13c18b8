"""A cache of what was just read: words of the last pages become likelier again where the text looks alike.

    p(w) = (1 - lambda) p_model(w) + lambda p_cache(w)
    p_cache(w) ~ sum over i < t with x_(i+1) = w of exp( theta h_t . h_i )

h_t: what the top layer shows at step t; x_(i+1): the word that followed step i; i goes back `window` steps. Nothing is
trained. Grave, Joulin & Usunier 2017 (arXiv 1612.04426).
"""

from dataclasses import dataclass

import numpy as np

BLOCK = 256  # steps that are looked at together


@dataclass(frozen=True)
class NeuralCache:
    """window: steps that it holds; theta: how much likeness counts; weight: lambda, its share of the probability."""

    window: int
    theta: float
    weight: float

    def nats(self, nats: np.ndarray, hidden: np.ndarray, following: np.ndarray) -> np.ndarray:
        """-log p [time] of each word that follows, from the model's [time], hidden [time, units], following [time]."""
        if not len(nats):
            return np.zeros(0)
        known = [
            self._of_cache(hidden, following, begin, min(begin + BLOCK, len(nats)))
            for begin in range(0, len(nats), BLOCK)
        ]
        weight = np.full(len(nats), self.weight)
        weight[:1] = 0  # nothing has been read
        return -np.log((1 - weight) * np.exp(-np.asarray(nats, np.float64)) + weight * np.concatenate(known))

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
