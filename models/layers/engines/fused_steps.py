"""One time step and its gradient, written out for the fused engine, for each recurrence that it can run.

z lies in memory as in the layer's `gates` (i, f, g, o). The derivatives follow from the equations of slides S8 and
S10 by the chain rule; with s = sigm(x), ds/dx = s (1 - s), and with t = tanh(x), dt/dx = 1 - t^2 (slide S3).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from models.layers.equations.lstm import LSTMState, lstm_step
from models.layers.equations.vanilla_rnn import VanillaRNNState, vanilla_rnn_step

Tensor = Any


@dataclass(frozen=True)
class FusedStep:
    """forward(z, before) -> (after, gates to save), both like z; backward(gates, before, after, d_after) ->
    (dz, d_before), d_before without what comes through the recurrent kernel. activations: the ones it is for."""

    forward: Callable[[Tensor, Any], tuple[Any, Tensor]]
    backward: Callable[[Tensor, Any, Any, Any], tuple[Tensor, Any]]
    activations: Mapping[str, str]


def lstm_forward(z: Tensor, before: LSTMState) -> tuple[LSTMState, Tensor]:
    """Slide S10 on z [batch, 4 units]; saves the gates after their activations."""
    z_i, z_f, z_g, z_o = tf.split(z, 4, axis=-1)
    i, f, o, g = tf.sigmoid(z_i), tf.sigmoid(z_f), tf.sigmoid(z_o), tf.tanh(z_g)
    c = f * before.c + i * g
    return LSTMState(h=o * tf.tanh(c), c=c), tf.concat([i, f, g, o], axis=-1)


def lstm_backward(gates: Tensor, before: LSTMState, after: LSTMState, d: LSTMState) -> tuple[Tensor, LSTMState]:
    """From d = (dE/dh, dE/dc) after the step to dE/dz and what the memory passes back."""
    i, f, g, o = tf.split(gates, 4, axis=-1)
    t = tf.tanh(after.c)
    d_c = d.c + d.h * o * (1 - t * t)
    d_z = [d_c * g * i * (1 - i), d_c * before.c * f * (1 - f), d_c * i * (1 - g * g), d.h * t * o * (1 - o)]
    return tf.concat(d_z, axis=-1), LSTMState(h=d.h, c=d_c * f)


def vanilla_rnn_forward(z: Tensor, before: VanillaRNNState) -> tuple[VanillaRNNState, Tensor]:
    """Slide S8 on z [batch, units]."""
    h = tf.tanh(z)
    return VanillaRNNState(h=h), h


def vanilla_rnn_backward(
    gates: Tensor, before: VanillaRNNState, after: VanillaRNNState, d: VanillaRNNState
) -> tuple[Tensor, VanillaRNNState]:
    """dE/dz = dE/dh (1 - h^2)."""
    return d.h * (1 - gates * gates), d


FUSED_STEPS = {
    lstm_step: FusedStep(lstm_forward, lstm_backward, {"sigm": "sigmoid", "tanh": "tanh"}),
    vanilla_rnn_step: FusedStep(vanilla_rnn_forward, vanilla_rnn_backward, {"tanh": "tanh"}),
}
