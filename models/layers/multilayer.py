"""Layers above each other: depth and time are the two axes of the grid.

    h_t^l = tanh W^l ( h_t^(l-1) ; h_(t-1)^l )                                      slide S9,  W^l  [n x 2n]
    (i, f, o, g) = (sigm, sigm, sigm, tanh) W^l ( h_t^(l-1) ; h_(t-1)^l )  ...      slide S10, W^l [4n x 2n]

Layer 0 is the input. `slide_matrix` shows each layer's W^l; it is n x 2n where the input has n features too.
"""

from typing import Any

import keras

from models.layers.recurrence import Recurrence


def multilayer(
    Layer: type[Recurrence], depth: int, units: int, *, return_sequences: bool = False, **options: Any
) -> keras.Sequential:
    """`depth` recurrences of `units` each, the states of one the inputs of the next; options go to every layer.

    Maps [batch, time, features] to [batch, units], the top layer's last state, or with return_sequences=True to its
    states [batch, time, units]. A mask goes through to every layer. Raises ValueError for a depth below 1."""
    if depth < 1:
        raise ValueError(f"multilayer got depth={depth!r}; it expected a whole number of at least 1, the layers.")
    inner = [Layer(units, return_sequences=True, name=f"layer_{level}", **options) for level in range(1, depth)]
    return keras.Sequential([*inner, Layer(units, return_sequences=return_sequences, name=f"layer_{depth}", **options)])
