"""The 2-2-1 network against numbers by hand, finite differences, automatic differentiation and the perceptron."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.foundations import perceptron, two_two_one
from models.foundations.two_two_one import Weights

LN3 = math.log(3)


def drawn(m, seed):
    """Distinct random weights, m examples and their truth, in double precision."""
    rng = np.random.default_rng(seed)
    W = Weights(tf.constant(rng.normal(size=(3, 2))), tf.constant(rng.normal(size=(3, 1))))
    return W, tf.constant(rng.normal(size=(2, m))), tf.constant(rng.integers(0, 2, (1, m)).astype(float))


def error(W, x, y):
    return perceptron.cross_entropy(y, two_two_one.predict(W, x))


networks = st.builds(drawn, st.integers(1, 9), st.integers(0, 2**31))
many = settings(max_examples=40, deadline=None)


@pytest.fixture
def by_hand():
    """x = (1; 0) gives h = (3/4; 1/4) and yhat = 1/4: sigma(ln 3) is 3/4, sigma(-ln 3) is 1/4."""
    W1 = [[LN3, 0], [7, 9], [0, -LN3]]  # z1 = ln 3 x1 + 7 x2, z2 = 9 x2 - ln 3
    W2 = [[4], [-8], [-1 - LN3]]  # z3 = 3 - 2 - 1 - ln 3
    W = Weights(tf.constant(W1, tf.float64), tf.constant(W2, tf.float64))
    return W, tf.constant([[1], [0]], tf.float64), tf.constant([[1]], tf.float64)


def test_s2_the_prediction_by_hand(by_hand):
    W, x, _ = by_hand
    np.testing.assert_allclose(two_two_one.predict(W, x), [[1 / 4]], rtol=1e-14)


def test_s2_the_gradient_by_hand(by_hand):
    """dE/dz3 = 1/4 - 1 = -3/4; dE/dz1 = -3/4 . 4 . 3/16 = -9/16; dE/dz2 = -3/4 . -8 . 3/16 = 9/8."""
    expected = [
        [-9 / 16, 9 / 8, -3 / 4 * 3 / 4],  # times x1 = 1, x1 = 1, h1 = 3/4
        [0, 0, -3 / 4 * 1 / 4],  # times x2 = 0, x2 = 0, h2 = 1/4
        [-9 / 16, 9 / 8, -3 / 4],  # the biases, times 1
    ]
    np.testing.assert_allclose(two_two_one.gradient_matrix(*by_hand), expected, atol=1e-14)


def test_s2_the_update_by_hand():
    W = Weights(tf.constant([[1.0, 2], [3, 4], [5, 6]]), tf.constant([[7.0], [8], [9]]))
    gradient = tf.constant([[10.0, 20, 30], [40, 50, 60], [70, 80, 90]])
    updated = two_two_one.update(W, gradient, alpha=0.5)
    np.testing.assert_array_equal(updated.W1, [[-4, -8], [-17, -21], [-30, -34]])
    np.testing.assert_array_equal(updated.W2, [[-8], [-22], [-36]])


@many
@given(networks)
def test_each_column_is_the_automatic_derivative_for_its_unit(network):
    W, x, y = network
    with tf.GradientTape() as tape:
        tape.watch(W)
        loss = error(W, x, y)
    for_W1, for_W2 = tape.gradient(loss, list(W))
    found = two_two_one.gradient_matrix(W, x, y).numpy()
    assert found.shape == (3, 3)
    for column, expected in enumerate([for_W1[:, 0], for_W1[:, 1], for_W2[:, 0]]):
        np.testing.assert_allclose(found[:, column], expected, rtol=1e-8, atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(networks)
def test_each_entry_is_the_slope_of_the_error(network):
    W, x, y = network
    found, h = two_two_one.gradient_matrix(W, x, y).numpy(), 1e-5
    for row, column in np.ndindex(3, 3):
        one = np.zeros((3, 3))
        one[row, column] = 1  # an update moves exactly this weight
        low, high = (error(two_two_one.update(W, one, alpha), x, y) for alpha in (h, -h))
        np.testing.assert_allclose(found[row, column], (high - low) / (2 * h), rtol=1e-5, atol=1e-8)


@many
@given(networks)
def test_it_is_the_perceptron_with_its_matrices_turned(network):
    W, x, y = network
    turned = [tf.transpose(W.W1), tf.transpose(W.W2)]
    np.testing.assert_allclose(two_two_one.predict(W, x), perceptron.predict(turned, x), rtol=1e-12)
    expected = perceptron.as_matrices(perceptron.gradient(turned, x, y), turned)
    found = two_two_one.gradient_matrix(W, x, y)
    np.testing.assert_allclose(found, tf.transpose(tf.concat(expected, axis=0)), rtol=1e-9, atol=1e-14)


@many
@given(networks)
def test_a_small_update_lowers_the_error(network):
    W, x, y = network
    gradient = two_two_one.gradient_matrix(W, x, y)
    if tf.norm(gradient) > 1e-4:
        assert error(two_two_one.update(W, gradient, alpha=1e-4), x, y) < error(W, x, y)


def test_in_a_graph_with_any_number_of_examples_it_is_the_same():
    W, x, y = drawn(5, seed=1)
    free = [tf.TensorSpec([2, None], tf.float64), tf.TensorSpec([1, None], tf.float64)]
    in_graph = tf.function(lambda x, y: two_two_one.gradient_matrix(W, x, y), input_signature=free, autograph=False)
    np.testing.assert_allclose(in_graph(x, y), two_two_one.gradient_matrix(W, x, y), rtol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (1, 3), (2, 4)])
def test_a_truth_of_another_shape_is_an_error_and_not_broadcast(shape):
    W, x, _ = drawn(4, seed=0)
    with pytest.raises(ValueError, match=r"got y of shape \(.*\) for x of shape \(2, 4\); it expected \(1, 4\), one"):
        two_two_one.gradient_matrix(W, x, tf.zeros(shape, tf.float64))
