"""How right pronunciations are, where a word may have several: word error rate and phoneme error rate.

A word is right when its pronunciation is any of those listed. The phoneme error rate is the edit distance to the
nearest listed pronunciation, summed over the words, over the phonemes of those.
"""

from collections.abc import Sequence

import numpy as np

from training.outcomes import Outcome, mean_of, rate_of

Phonemes = Sequence[str]


def outcomes(listed: Sequence[Sequence[Phonemes]], said: Sequence[Phonemes]) -> dict[str, Outcome]:
    """word_error_rate and phoneme_error_rate of a pronunciation for each word; listed: those that are right."""
    words = list(zip(listed, said, strict=True))
    wrong = [tuple(one) not in {tuple(each) for each in right} for right, one in words]
    nearest = [min((edit_distance(each, one), len(each)) for each in right) for right, one in words]
    edits, phonemes = np.array(nearest).reshape(-1, 2).T
    return {"word_error_rate": mean_of(np.array(wrong)), "phoneme_error_rate": rate_of(edits, phonemes)}


def edit_distance(one: Phonemes, other: Phonemes) -> int:
    """The least number of phonemes to put in, leave out or replace (Levenshtein 1966)."""
    if list(one) == list(other):
        return 0
    row = list(range(len(other) + 1))
    for i, of_one in enumerate(one, start=1):
        before, row = row, [i]
        for j, of_other in enumerate(other, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (of_one != of_other)))
    return row[-1]
