"""Sequences of different lengths as one array."""

from collections.abc import Sequence
from typing import Any

import numpy as np

PADDING = -1  # the label of a step past the end, where nothing is to be learned


def padded(rows: Sequence[Sequence[Any]], filling: Any, dtype: Any) -> np.ndarray:
    """The rows, filled up at the right to the longest: [rows, longest]."""
    array = np.full((len(rows), max(map(len, rows), default=0)), filling, dtype)
    for place, row in enumerate(rows):
        array[place, : len(row)] = row
    return array
