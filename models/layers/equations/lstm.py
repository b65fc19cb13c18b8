"""Long short-term memory: the mathematics of one time step.

    (i, f, o, g) = (sigm, sigm, sigm, tanh) W (h_below; h_before)
    c = f * c_before + i * g        h = o * tanh(c)

Slide S10, one layer of it S11. Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

Tensor = Any


class LSTMGates(NamedTuple):
    """One [batch, units] for each gate, in the order of the slide's rows."""

    i: Tensor  # input gate: whether to write to the cell
    f: Tensor  # forget gate: whether to erase the cell
    o: Tensor  # output gate: how much of the cell to reveal
    g: Tensor  # gate gate: how much to write to the cell


class LSTMState(NamedTuple):
    """What one time step leaves to the next."""

    h: Tensor  # [batch, units]  seen by the next time step and by the layer above
    c: Tensor  # [batch, units]  the memory


def lstm_step(
    z: LSTMGates,
    before: LSTMState,
    sigm: Callable[[Tensor], Tensor] = tf.sigmoid,
    tanh: Callable[[Tensor], Tensor] = tf.tanh,
) -> LSTMState:
    """One time step of slide S10; z = W (h_below; h_before)."""
    i, f, o, g = sigm(z.i), sigm(z.f), sigm(z.o), tanh(z.g)
    c = f * before.c + i * g
    return LSTMState(h=o * tanh(c), c=c)
