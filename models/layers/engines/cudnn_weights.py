"""A layer's weights as cuDNN's one vector of parameters, and back.

The vector holds, gate by gate in cuDNN's order: the input matrices [units, features], the recurrent matrices [units,
units], the input biases, the recurrent biases. cuDNN orders the LSTM's gates i, f, g, o as we do, the GRU's r, z, h
where ours are z, r, h.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from models.layers.equations.gru import gru_reset_after_step
from models.layers.equations.lstm import lstm_step
from models.layers.equations.vanilla_rnn import vanilla_rnn_step

Tensor = Any


@dataclass(frozen=True)
class CudnnForm:
    """cuDNN's name of a recurrence, and for each of its gates the place of that gate in our memory."""

    mode: str
    gates: tuple[int, ...]


CUDNN_FORMS: Mapping[Any, CudnnForm] = {
    lstm_step: CudnnForm("lstm", (0, 1, 2, 3)),
    gru_reset_after_step: CudnnForm("gru", (1, 0, 2)),
    vanilla_rnn_step: CudnnForm("rnn_tanh", (0,)),
}


def pack(weights: tuple[Tensor, Tensor, Tensor, Tensor], form: CudnnForm) -> Tensor:
    """The vector of (kernel, recurrent kernel, bias, recurrent bias)."""
    count = len(form.gates)
    kernel, recurrent_kernel, bias, recurrent_bias = (tf.split(w, count, axis=-1) for w in weights)
    matrices = [tf.transpose(group[place]) for group in (kernel, recurrent_kernel) for place in form.gates]
    biases = [group[place] for group in (bias, recurrent_bias) for place in form.gates]
    return tf.concat([tf.reshape(part, [-1]) for part in (*matrices, *biases)], axis=0)


def unpack(vector: Tensor, form: CudnnForm, features: int, units: int) -> list[Tensor]:
    """kernel, recurrent kernel, bias and recurrent bias of the vector."""
    count = len(form.gates)
    sizes = [units * features] * count + [units * units] * count + [units] * 2 * count
    parts = tf.split(vector, sizes)
    shapes: list[list[int]] = [[units, features], [units, units], [units], [units]]
    groups = []
    for k, shape in enumerate(shapes):
        by_place = dict(zip(form.gates, parts[k * count : (k + 1) * count], strict=True))
        groups.append(tf.concat([tf.transpose(tf.reshape(by_place[p], shape)) for p in range(count)], axis=-1))
    return groups
