"""The compiled update, beside Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.one_pass import OnePassAdamW

ROWS, COLUMNS = 7, 3


def after_steps(of, in_a_graph):
    """A matrix, of which each step's gradient touches two rows, and a vector, after five steps of clipped AdamW."""
    rng = np.random.default_rng(3)
    matrix = keras.Variable(rng.standard_normal((ROWS, COLUMNS)).astype("float32"))
    vector = keras.Variable(rng.standard_normal(COLUMNS).astype("float32"))
    rate = keras.optimizers.schedules.CosineDecay(0.1, 8)
    optimizer = of(rate, weight_decay=0.3, global_clipnorm=0.5)

    def step(rows, scale):
        with tf.GradientTape() as tape:
            taken = tf.gather(matrix.value, rows)
            loss = scale * tf.reduce_sum(tf.square(taken - vector.value))
        gradients = tape.gradient(loss, [matrix.value, vector.value])
        assert isinstance(gradients[0], tf.IndexedSlices)
        optimizer.apply(gradients, [matrix, vector])

    step = tf.function(step, autograph=False) if in_a_graph else step
    for number in range(5):
        step(tf.constant([number, number + 2]), tf.constant(0.01 * 10**number, tf.float32))
    assert int(optimizer.iterations.numpy()) == 5
    return matrix.numpy(), vector.numpy()


@pytest.mark.parametrize("in_a_graph", [True, False])
def test_weights_are_those_of_keras_adamw(in_a_graph):
    for ours, theirs in zip(
        after_steps(OnePassAdamW, in_a_graph), after_steps(keras.optimizers.AdamW, False), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
