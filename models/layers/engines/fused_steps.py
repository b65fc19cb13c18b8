"""One time step and its gradient, written out for the fused engine, for each recurrence that it can run.

The parts of a sum lie in memory as in the cell's `gates`. The derivatives follow from the equations by the chain rule;
with s = sigm(x), ds/dx = s (1 - s), and with t = tanh(x), dt/dx = 1 - t^2 (slide S3).

A sigmoid is taken as sigm(x) = 1/2 + 1/2 tanh(x / 2), so that one kind of tanh serves the whole sum: XLA's form of the
sigmoid with an exponential costs as much as the products, and TensorFlow's gives a row other last digits by its place
in the batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from models.layers.equations.gru import GRUState, gru_reset_after_step
from models.layers.equations.lstm import LSTMState, lstm_step
from models.layers.equations.vanilla_rnn import VanillaRNNState, vanilla_rnn_step

Tensor = Any
Kept = tuple[Tensor, ...]
HALF = 0.5


class Around(NamedTuple):
    """The outputs before and after a step, [batch, units], for those that ask."""

    before: Callable[[], Tensor]
    after: Callable[[], Tensor]


@dataclass(frozen=True)
class FusedStep:
    """What the fused engine needs of a recurrence.

    forward(x, u, bias, before) -> (after, kept): x from the input, u from the old state, each [batch, gates * units],
    bias what `biases` left for the step; kept is what backward needs of this step beside the outputs.
    backward(kept, h, d_after) -> (d_x, d_tail, d_before): d_u is d_x with its last part, [batch, units], in d_tail's
    place, or d_x where that is None; d_before is without what comes through the recurrent kernel.
    biases(bias, recurrent_bias) -> (bias, rest): what can be added to the inputs before the loop, what only in a step.
    kept: how wide each of them is, in units. tail: whether there is a d_tail.
    activations: by the step's names, the ones it is written for.
    """

    forward: Callable[[Tensor, Tensor, Tensor | None, Any], tuple[Any, Kept]]
    backward: Callable[[Kept, Around, Any], tuple[Tensor, Tensor | None, Any]]
    kept: tuple[int, ...]
    tail: bool
    activations: Mapping[str, str]
    biases: Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor | None]] = lambda bias, recurrent: (bias, recurrent)


def lstm_forward(x: Tensor, u: Tensor, bias: None, before: LSTMState) -> tuple[LSTMState, Kept]:
    """Slide S10; keeps i, f, g, o and the old memory."""
    t_i, t_f, g, t_o = tf.split(tf.tanh((x + u) * _scale(x, (HALF, HALF, 1.0, HALF))), 4, axis=-1)
    i, f, o = HALF + HALF * t_i, HALF + HALF * t_f, HALF + HALF * t_o
    c = f * before.c + i * g
    return LSTMState(h=o * tf.tanh(c), c=c), (tf.concat([i, f, g, o], axis=-1), before.c)


def lstm_backward(kept: Kept, h: Around, d: LSTMState) -> tuple[Tensor, None, LSTMState]:
    """From d = (dE/dh, dE/dc) after the step to dE/dx and what the memory passes back."""
    gates, c_before = kept
    i, f, g, o = tf.split(gates, 4, axis=-1)
    t = tf.tanh(f * c_before + i * g)
    d_c = d.c + d.h * o * (1 - t * t)
    d_i, d_f, d_o = d_c * g * i * (1 - i), d_c * c_before * f * (1 - f), d.h * t * o * (1 - o)
    d_x = tf.concat([d_i, d_f, d_c * i * (1 - g * g), d_o], axis=-1)
    return d_x, None, LSTMState(h=tf.zeros_like(d.h), c=d_c * f)


def gru_biases(bias: Tensor, recurrent: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The old state's bias acts with the input's but for the candidate's, which r multiplies."""
    if recurrent is None:
        return bias, None
    gates, candidate = tf.split(recurrent, [2 * recurrent.shape[0] // 3, recurrent.shape[0] // 3])
    return bias + tf.concat([gates, tf.zeros_like(candidate)], axis=0), candidate


def gru_forward(x: Tensor, u: Tensor, bias: Tensor | None, before: GRUState) -> tuple[GRUState, Kept]:
    """Cho et al., the reset gate after the product; keeps z, r, the candidate; the product that r multiplies."""
    (x_gates, x_h), (u_gates, u_h) = (tf.split(part, [2 * before.h.shape[-1], -1], axis=-1) for part in (x, u))
    gates = HALF + HALF * tf.tanh(HALF * (x_gates + u_gates))
    z, r = tf.split(gates, 2, axis=-1)
    u_h = u_h if bias is None else u_h + bias
    h = tf.tanh(x_h + r * u_h)
    return GRUState(h=h + z * (before.h - h)), (tf.concat([gates, h], axis=-1), u_h)


def gru_backward(kept: Kept, h: Around, d: GRUState) -> tuple[Tensor, Tensor, GRUState]:
    """From d = dE/dh after the step; x and u differ in the candidate, where r multiplies u."""
    parts, u_h = kept
    z, r, candidate = tf.split(parts, 3, axis=-1)
    d_h = d.h * (1 - z) * (1 - candidate * candidate)
    d_z, d_r = d.h * (h.before() - candidate) * z * (1 - z), d_h * u_h * r * (1 - r)
    return tf.concat([d_z, d_r, d_h], axis=-1), d_h * r, GRUState(h=d.h * z)


def vanilla_rnn_forward(x: Tensor, u: Tensor, bias: None, before: VanillaRNNState) -> tuple[VanillaRNNState, Kept]:
    """Slide S8; the new h is the output."""
    return VanillaRNNState(h=tf.tanh(x + u)), ()


def vanilla_rnn_backward(kept: Kept, h: Around, d: VanillaRNNState) -> tuple[Tensor, None, VanillaRNNState]:
    """dE/dx = dE/dh (1 - h^2)."""
    after = h.after()
    return d.h * (1 - after * after), None, VanillaRNNState(h=tf.zeros_like(d.h))


def _scale(like: Tensor, parts: tuple[float, ...]) -> Tensor:
    """A number for each part of a sum, as a row for its columns."""
    units = like.shape[-1] // len(parts)
    return tf.constant([part for part in parts for _ in range(units)], like.dtype)


SIGM_TANH = {"sigm": "sigmoid", "tanh": "tanh"}
FUSED_STEPS: Mapping[Any, FusedStep] = {
    lstm_step: FusedStep(lstm_forward, lstm_backward, (4, 1), False, SIGM_TANH),
    gru_reset_after_step: FusedStep(gru_forward, gru_backward, (3, 1), True, SIGM_TANH, gru_biases),
    vanilla_rnn_step: FusedStep(vanilla_rnn_forward, vanilla_rnn_backward, (), False, {"tanh": "tanh"}),
}
