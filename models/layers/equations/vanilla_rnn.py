"""Vanilla recurrent network: the mathematics of one time step.

    h_t = tanh( W_hh h_(t-1) + W_xh x_t )

Slide S8; as one matrix, h_t = tanh( W (h_(t-1); x_t) ), slide S11. Elman 1990.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

Tensor = Any


class VanillaRNNSum(NamedTuple):
    """What enters the step: W_hh h_(t-1) + W_xh x_t (and the bias)."""

    h: Tensor  # [batch, units]


class VanillaRNNState(NamedTuple):
    """The state is a single hidden vector."""

    h: Tensor  # [batch, units]  seen by the next time step and by the layer above


def vanilla_rnn_step(
    z: VanillaRNNSum, before: VanillaRNNState, tanh: Callable[[Tensor], Tensor] = tf.tanh
) -> VanillaRNNState:
    """One time step of slide S8; the old state acts through z alone."""
    return VanillaRNNState(h=tanh(z.h))
