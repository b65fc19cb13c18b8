"""Attention: at each step of the output, a weighted mean of what the encoder says at each step of the input.

    score_ts = q_t . W k_s        a_t = softmax over s of score_t        context_t = sum_s a_ts k_s

The score that Luong, Pham & Manning 2015 (Effective Approaches to Attention-based Neural Machine Translation, equations
7 and 8) call general; the idea is that of Bahdanau, Cho & Bengio 2015.
"""

from typing import Any

import keras
import tensorflow as tf

Tensor = Any

NEVER = -1e9  # the score of a step that is padding, far below any other


@keras.saving.register_keras_serializable(package="seqzoo")
class Attention(keras.layers.Layer):
    """units: of a query q_t. `keys` forms W k_s once for a sequence; the call is made for one step or for many."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = units
        self.projection = keras.layers.Dense(units, use_bias=False, name="projection")

    def build(self, values_shape: Any) -> None:
        """Makes W for values [batch, source steps, features]."""
        self.projection.build(values_shape)
        self.built = True

    def keys(self, values: Tensor) -> Tensor:
        """W k_s [batch, source steps, units] of the encoder's outputs [batch, source steps, features]."""
        return self.projection(values)

    def call(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The contexts [batch, steps, features] and the weights [batch, steps, source steps].

        queries [batch, steps, units]; keys, values: see `keys`; mask [batch, source steps] bool, False is padding and
        gets no weight. In a row without a source step the weights are even."""
        scores = tf.linalg.matmul(queries, keys, transpose_b=True)
        weights = tf.nn.softmax(tf.where(mask[:, None], scores, NEVER))
        return tf.linalg.matmul(weights, values), weights

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "units": self.units}
