"""How right pronunciations are, where a word may have several: word error rate and phoneme error rate.

A word is right when its pronunciation is any of those listed. The phoneme error rate is the edit distance to the
nearest listed pronunciation, summed over the words, over the phonemes of those.
"""

from collections.abc import Sequence

Phonemes = Sequence[str]


def word_error_rate(listed: Sequence[Sequence[Phonemes]], said: Sequence[Phonemes]) -> float:
    """The share of words whose pronunciation is none of those listed; 0 to 1."""
    pairs = list(zip(listed, said, strict=True))
    return sum(tuple(one) not in {tuple(each) for each in right} for right, one in pairs) / len(pairs)


def phoneme_error_rate(listed: Sequence[Sequence[Phonemes]], said: Sequence[Phonemes]) -> float:
    """Edits for each phoneme of the nearest listed pronunciations."""
    edits = phonemes = 0
    for right, one in zip(listed, said, strict=True):
        distance, length = min((edit_distance(each, one), len(each)) for each in right)
        edits, phonemes = edits + distance, phonemes + length
    return edits / phonemes


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
