"""Asking a network for the labels of sequences of any length, and how many of them are right.

Slot F1 is that of the CoNLL-2000 script conlleval: a slot counts where its kind and both its ends are right; by
seqeval, in the mode that follows that script.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities

from training.outcomes import Outcome, f1_of

BATCH = 64  # sequences of like length that are asked for at once

Tags = Sequence[Sequence[str]]


def by_length(lengths: Sequence[int], ask: Callable[[np.ndarray], Iterable[tuple[str, ...]]]) -> list[tuple[str, ...]]:
    """The labels of each sequence in its order; ask(rows) gives those of a few sequences of like length."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    answers: dict[int, tuple[str, ...]] = {}
    for begin in range(0, len(order), BATCH):
        rows = order[begin : begin + BATCH]
        answers.update(zip(rows.tolist(), ask(rows), strict=True))
    return [answers[row] for row in range(len(order))]


def words_of(row: np.ndarray, length: int) -> tuple[str, ...]:
    """The first texts of a padded row of bytes."""
    return tuple(text.decode("utf-8") for text in row[:length])


def slot_f1(truth: Tags, said: Tags) -> float:
    """Harmonic mean of precision and recall of whole slots, in BIO tags; 0 to 1."""
    return float(f1_score([list(tags) for tags in truth], [list(tags) for tags in said], zero_division=0))


def slot_f1_outcome(truth: Tags, said: Tags) -> Outcome:
    """`slot_f1`, with what each sequence adds to it."""
    true, found = ([set(get_entities(list(tags))) for tags in rows] for rows in (truth, said))
    right = np.array([len(one & other) for one, other in zip(true, found, strict=True)])
    return f1_of(right, np.array([len(each) for each in found]), np.array([len(each) for each in true]))


def accuracy(truth: Sequence[object], said: Sequence[object]) -> float:
    """The share of labels that are right."""
    return float(np.mean([one == other for one, other in zip(truth, said, strict=True)]))
