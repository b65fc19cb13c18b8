"""The next token without a network: interpolated Kneser-Ney over the last few tokens.

    p_n(w | h) = ( max(c(h w) - d, 0) + d N(h .) p_(n-1)(w | h') ) / c(h),    d = n_1 / (n_1 + 2 n_2)

N(h .): how many different tokens follow h; h': h without its first token; below the highest order c counts in how many
different contexts h w stands. Kneser & Ney 1995, Chen & Goodman 1999.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class _Order:
    """Contexts and grams, as sorted numbers, with what the formula needs of each."""

    grams: np.ndarray  # [grams]
    counts: np.ndarray  # [grams]
    contexts: np.ndarray  # [contexts]
    totals: np.ndarray  # [contexts]  c(h .)
    kinds: np.ndarray  # [contexts]  N(h .)
    discount: float


def nats_per_token(train: np.ndarray, test: np.ndarray, tokens: int, order: int = 6) -> float:
    """Mean -log p of each token of test [length] after the ones before it, by the counts of train [length].

    tokens: how many kinds there are; order: of the longest gram, lowered until its number fits into 63 bits."""
    while order > 1 and tokens**order >= 2**62:
        order -= 1
    orders = _count(train.astype(np.int64), tokens, order)
    p = np.full(len(test), 1 / tokens)
    known = np.concatenate([train[len(train) - order + 1 :], test]).astype(np.int64) if order > 1 else test
    for n, level in enumerate(orders, start=1):
        grams = _grams(known[order - n :], tokens, n)
        counts = _looked_up(level.grams, level.counts, grams)
        totals = _looked_up(level.contexts, level.totals, grams // tokens)
        kinds = _looked_up(level.contexts, level.kinds, grams // tokens)
        seen = totals > 0
        smoothed = (np.maximum(counts - level.discount, 0) + level.discount * kinds * p) / np.maximum(totals, 1)
        p = np.where(seen, smoothed, p)
    return float(-np.mean(np.log(p)))


def _count(text: np.ndarray, tokens: int, order: int) -> list[_Order]:
    """The orders from 1 to `order`."""
    found: list[_Order] = []
    grams, counts = np.unique(_grams(text, tokens, order), return_counts=True)
    for n in range(order, 0, -1):
        ones, twos = np.sum(counts == 1), np.sum(counts == 2)
        discount = float(ones / (ones + 2 * twos)) if ones and twos else 0.5
        contexts, first = np.unique(grams // tokens, return_index=True)
        kinds = np.diff(np.append(first, len(grams)))
        found.append(_Order(grams, counts, contexts, np.add.reduceat(counts, first), kinds, discount))
        grams, counts = np.unique(grams % tokens ** (n - 1), return_counts=True)
    return found[::-1]


def _grams(text: np.ndarray, tokens: int, n: int) -> np.ndarray:
    """Each n tokens in a row as one number, [length - n + 1]."""
    grams = np.zeros(len(text) - n + 1, np.int64)
    for k in range(n):
        grams = grams * tokens + text[k : len(text) - n + 1 + k]
    return grams


def _looked_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    position = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[position] == wanted, values[position], 0)
