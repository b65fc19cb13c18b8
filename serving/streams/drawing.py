"""Draws the next token of each row of logits.

    p = softmax( logits / temperature ) of the k most likely tokens,  token = the first whose cumulated p exceeds u

u comes from the stream's own generator (Philox, Salmon et al. 2011, keyed by its seed), and each row is computed by
itself in float64: what is drawn does not depend on the rows beside it."""

import random
from collections.abc import Sequence

import numpy as np

NONE = -1  # for a row whose logits are no numbers
BELOW_ONE = 1 - 2**-52  # times the sum it stays below the sum


class Chance:
    """The numbers of one stream."""

    def __init__(self, seed: int | None) -> None:
        """seed: None for one by chance."""
        key = random.SystemRandom().getrandbits(64) if seed is None else seed % (1 << 64)
        self._generator = np.random.Generator(np.random.Philox(key=key))

    def next(self) -> float:
        """A number from 0 to below 1."""
        return min(self._generator.random(), BELOW_ONE)


def draw(logits: np.ndarray, temperature: Sequence[float], top_k: Sequence[int], u: Sequence[float]) -> np.ndarray:
    """The token of each row of logits [rows, vocabulary], `NONE` where none can be drawn; temperature 0 takes the
    most likely one, top_k 0 all."""
    scores = logits.astype(np.float64)
    largest = scores.max(axis=1)
    drawable = np.isfinite(largest)  # a nan is the maximum of its row
    likely = scores.argmax(axis=1)
    for row, k in enumerate(top_k):
        if 0 < k < scores.shape[1] and drawable[row]:
            scores[row] = _limited(scores[row], k)
    heat = np.asarray(temperature, np.float64)
    scores -= np.where(drawable, largest, 0)[:, None]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        scores /= np.where(heat > 0, heat, 1)[:, None]
        cumulated = np.cumsum(np.exp(scores), axis=1)
        drawn = (cumulated <= np.asarray(u)[:, None] * cumulated[:, -1:]).sum(axis=1)
    return np.where(drawable, np.where(heat > 0, drawn, likely), NONE)


def _limited(scores: np.ndarray, k: int) -> np.ndarray:
    """The k largest; of equal ones the first."""
    kept = np.argsort(-scores, kind="stable")[:k]
    limited = np.full_like(scores, -np.inf)
    limited[kept] = scores[kept]
    return limited
