"""Gated recurrent unit: the mathematics of one time step.

    z = sigm( W_z x + U_z h_before )        r = sigm( W_r x + U_r h_before )
    h = z * h_before + (1 - z) * tanh( W_h x + U_h (r * h_before) )

Not on the slides; here because everyone compares with it. Cho et al. 2014. In the second form the reset gate acts after
the product, r * (U_h h_before), as cuDNN computes it (Keras's reset_after=True, torch's only form). z keeps the old
state, as in Keras and torch; in the paper's figure it is the other way round.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

Tensor = Any


class GRUParts(NamedTuple):
    """What the input, or the old state, gives to each part: one [batch, units] each."""

    z: Tensor  # update gate: how much of the old state to keep
    r: Tensor  # reset gate: how much of the old state the candidate sees
    h: Tensor  # the candidate for the new state


class GRUState(NamedTuple):
    """The state is a single hidden vector."""

    h: Tensor  # [batch, units]  seen by the next time step and by the layer above


def gru_step(
    x: GRUParts,
    before: GRUState,
    recurrent: Callable[[str, Tensor], Tensor],
    sigm: Callable[[Tensor], Tensor] = tf.sigmoid,
    tanh: Callable[[Tensor], Tensor] = tf.tanh,
) -> GRUState:
    """One time step of Cho et al.; x = W x, recurrent(part, h) = U_part h."""
    z = sigm(x.z + recurrent("z", before.h))
    r = sigm(x.r + recurrent("r", before.h))
    h = tanh(x.h + recurrent("h", r * before.h))
    return GRUState(h=z * before.h + (1 - z) * h)


def gru_reset_after_step(
    x: GRUParts,
    u: GRUParts,
    before: GRUState,
    sigm: Callable[[Tensor], Tensor] = tf.sigmoid,
    tanh: Callable[[Tensor], Tensor] = tf.tanh,
) -> GRUState:
    """One time step with the reset gate after the product; x = W x, u = U h_before."""
    z, r = sigm(x.z + u.z), sigm(x.r + u.r)
    h = tanh(x.h + r * u.h)
    return GRUState(h=z * before.h + (1 - z) * h)
