"""Attention beside a sum over the steps in plain numpy."""

import numpy as np
import pytest
import tensorflow as tf

from models.sequence_to_sequence import Attention


@pytest.fixture
def made():
    rng = np.random.default_rng(0)
    layer = Attention(4)
    layer.build((None, None, 6))
    layer.set_weights([rng.normal(size=(6, 4))])
    return layer, rng.normal(size=(3, 2, 4)).astype(np.float32), rng.normal(size=(3, 5, 6)).astype(np.float32)


def test_a_context_is_the_mean_of_the_values_weighted_by_the_softmax_of_general_scores(made):
    layer, queries, values = made
    lengths = [5, 3, 1]
    contexts, weights = layer(queries, layer.keys(values), values, tf.sequence_mask(lengths, 5))
    (W,) = layer.get_weights()
    for row, length in enumerate(lengths):
        for t in range(2):
            scores = np.array([queries[row, t] @ (values[row, s] @ W) for s in range(length)])
            a = np.exp(scores) / np.exp(scores).sum()
            np.testing.assert_allclose(weights[row, t], [*a, *[0] * (5 - length)], atol=1e-5)
            np.testing.assert_allclose(contexts[row, t], sum(a[s] * values[row, s] for s in range(length)), atol=1e-5)


def test_a_row_without_a_step_has_even_weights_and_no_nan(made):
    layer, queries, values = made
    _, weights = layer(queries, layer.keys(values), values, tf.zeros([3, 5], tf.bool))
    np.testing.assert_allclose(weights, np.full((3, 2, 5), 0.2), atol=1e-6)
