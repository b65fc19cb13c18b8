"""Prediction, error and gradient against numbers by hand, numpy, finite differences and automatic differentiation."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.foundations import perceptron

LN2, LN3 = math.log(2), math.log(3)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def drawn(widths, m, seed, dtype="float64"):
    """Weights of a perceptron of these widths, the first the inputs; m examples; their truth, hard and soft."""
    rng = np.random.default_rng(seed)
    weights = [tf.constant(rng.normal(size=(above, below + 1)), dtype) for below, above in itertools.pairwise(widths)]
    x = tf.constant(rng.normal(size=(widths[0], m)), dtype)
    y = rng.uniform(size=(widths[-1], m))
    return weights, x, tf.constant(y if seed % 2 else y.round(), dtype)


def error(weights, x, y):
    return perceptron.cross_entropy(y, perceptron.predict(weights, x))


networks = st.builds(
    drawn, st.lists(st.integers(1, 5), min_size=2, max_size=6), st.integers(1, 7), st.integers(0, 2**31)
)
many = settings(max_examples=40, deadline=None)


def test_s1_three_layers_by_hand():
    """sigma(ln 3) is 3/4, sigma(-ln 3) is 1/4, sigma(0) is 1/2."""
    weights = [
        tf.constant([[LN3, 0, 0], [0, LN3, -LN3]], tf.float64),  # (ln 3 x1, ln 3 x2 - ln 3) is (ln 3, -ln 3)
        tf.constant([[4, 8, -5], [4 * LN3, 0, -2 * LN3]], tf.float64),  # (3 + 2 - 5, 3 ln 3 - 2 ln 3) is (0, ln 3)
        tf.constant([[2, 4 / 3 * LN3, -1]], tf.float64),  # 1 + ln 3 - 1
    ]
    x = tf.constant([[1], [0]], tf.float64)
    np.testing.assert_allclose(perceptron.predict(weights[:1], x), [[3 / 4], [1 / 4]], rtol=1e-14)
    np.testing.assert_allclose(perceptron.predict(weights[:2], x), [[1 / 2], [3 / 4]], rtol=1e-14)
    np.testing.assert_allclose(perceptron.predict(weights, x), [[3 / 4]], rtol=1e-14)


def test_s1_the_error_by_hand():
    y, yhat = tf.constant([[1.0, 0.0]], tf.float64), tf.constant([[0.5, 0.75]], tf.float64)
    np.testing.assert_allclose(perceptron.cross_entropy(y, yhat), (LN2 + 2 * LN2) / 2, rtol=1e-14)
    np.testing.assert_allclose(perceptron.cross_entropy(y[0], yhat[0]), 1.5 * LN2, rtol=1e-14)


def test_s1_the_gradient_by_hand():
    """One unit at yhat = 3/4 with truth 1: dE/dz = yhat - y = -1/4; dE/dw is that times (x; 1)."""
    weights = [tf.constant([[LN3, 5, 0]], tf.float64)]
    found = perceptron.gradient(weights, tf.constant([[1], [0]], tf.float64), tf.constant([[1]], tf.float64))
    np.testing.assert_allclose(found, [-1 / 4, 0, -1 / 4], atol=1e-15)


@many
@given(networks)
def test_s1_the_gradient_is_that_of_automatic_differentiation(network):
    weights, x, y = network
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = error(weights, x, y)
    expected = np.concatenate([g.numpy().ravel() for g in tape.gradient(loss, weights)])
    found = perceptron.gradient(weights, x, y)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(networks)
def test_the_gradient_is_the_slope_in_every_direction(network):
    weights, x, y = network
    at = perceptron.as_vector(weights).numpy()
    found, h = perceptron.gradient(weights, x, y).numpy(), 1e-5
    for i in range(at.size):
        step = np.zeros_like(at)
        step[i] = h
        low, high = (error(perceptron.as_matrices(tf.constant(v), weights), x, y) for v in (at - step, at + step))
        np.testing.assert_allclose(found[i], (high - low) / (2 * h), rtol=1e-5, atol=1e-8)


@many
@given(networks)
def test_the_prediction_is_that_of_numpy(network):
    weights, x, y = network
    h = x.numpy()
    for W in weights:
        h = sigmoid(W.numpy()[:, :-1] @ h + W.numpy()[:, -1:])
    found = perceptron.predict(weights, x)
    np.testing.assert_allclose(found, h, rtol=1e-12)
    by_log = -(y * np.log(h) + (1 - y) * np.log(1 - h)).numpy().sum() / x.shape[1]
    np.testing.assert_allclose(perceptron.cross_entropy(y, found), by_log, rtol=1e-9)


@many
@given(networks)
def test_a_batch_is_its_examples_one_by_one_and_its_gradient_their_mean(network):
    weights, x, y = network
    alone = [(x[:, i : i + 1], y[:, i : i + 1]) for i in range(x.shape[1])]
    one_by_one = np.concatenate([perceptron.predict(weights, column) for column, _ in alone], axis=1)
    np.testing.assert_allclose(perceptron.predict(weights, x), one_by_one, rtol=1e-12)
    mean = np.mean([perceptron.gradient(weights, *example) for example in alone], axis=0)
    np.testing.assert_allclose(perceptron.gradient(weights, x, y), mean, rtol=1e-9, atol=1e-14)


@many
@given(networks)
def test_a_small_step_against_the_gradient_lowers_the_error(network):
    weights, x, y = network
    slope = perceptron.gradient(weights, x, y)
    alpha = 1e-5 / (1 + tf.norm(slope))
    lower = error(perceptron.as_matrices(perceptron.as_vector(weights) - alpha * slope, weights), x, y)
    if tf.norm(slope) > 1e-4:
        assert lower < error(weights, x, y)


def test_the_order_is_layer_by_layer_and_in_a_layer_row_by_row():
    weights = [tf.constant([[0, 1, 2], [3, 4, 5]]), tf.constant([[6, 7, 8]])]
    np.testing.assert_array_equal(perceptron.as_vector(weights), np.arange(9))


def test_the_gradient_has_the_order_of_the_weights():
    """The entry of W2's bias, the last, is the mean of yhat - y; a dead input has zeros in its column of W1."""
    weights, x, y = drawn([2, 2, 1], 4, seed=7)
    x = tf.constant(x.numpy() * [[0], [1]])
    found = perceptron.gradient(weights, x, y).numpy()
    np.testing.assert_allclose(found[8], np.mean(perceptron.predict(weights, x) - y), rtol=1e-12)
    assert [i for i in range(9) if found[i] == 0] == [0, 3]


@many
@given(networks)
def test_as_matrices_is_the_way_back(network):
    weights, _, _ = network
    back = perceptron.as_matrices(perceptron.as_vector(weights), weights)
    for matrix, W in zip(back, weights, strict=True):
        np.testing.assert_array_equal(matrix, W)


def test_certain_and_right_costs_nothing_certain_and_wrong_infinity():
    certain = tf.constant([[0.0, 1.0]])
    assert perceptron.cross_entropy(certain, certain).numpy() == 0
    assert perceptron.cross_entropy(1 - certain, certain).numpy() == math.inf


def test_a_small_probability_is_not_rounded_away():
    tiny = tf.constant([[1e-30]], tf.float64)
    np.testing.assert_allclose(perceptron.cross_entropy(tf.zeros_like(tiny), tiny), 1e-30, rtol=1e-12)
    np.testing.assert_allclose(perceptron.cross_entropy(tf.ones_like(tiny), tiny), 30 * math.log(10), rtol=1e-12)


def test_the_gradient_is_exact_where_the_error_is_infinite():
    """yhat is 1 to the last digit, the truth 0: the slope is 1 all the same, as the logits have it."""
    weights, x = [tf.constant([[0.0, 200.0]])], tf.constant([[1.0]])
    assert error(weights, x, tf.constant([[0.0]])).numpy() == math.inf
    np.testing.assert_array_equal(perceptron.gradient(weights, x, tf.constant([[0.0]])), [1, 1])


def test_in_a_graph_with_any_number_of_examples_it_is_the_same():
    weights, x, y = drawn([3, 4, 2], 5, seed=3, dtype="float32")
    free = [tf.TensorSpec([3, None]), tf.TensorSpec([2, None])]
    in_graph = tf.function(lambda x, y: perceptron.gradient(weights, x, y), input_signature=free, autograph=False)
    np.testing.assert_allclose(in_graph(x, y), perceptron.gradient(weights, x, y), atol=1e-6)


@pytest.mark.parametrize(
    ("weights", "x", "text"),
    [
        ([], (2, 1), "got no weights; it expected a matrix for each layer, at least one"),
        ([(3, 2)], (2, 1), r"got W1 of shape \(3, 2\) for 2 units below it; it expected 3 columns"),
        ([(3, 3), (1, 3)], (2, 1), r"got W2 of shape \(1, 3\) for 3 units below it; it expected 4 columns"),
        ([(3, 3)], (2,), r"for a column of shape \(2,\); it expected two axes of each. One example is a matrix"),
    ],
)
def test_shapes_that_do_not_fit_are_named(weights, x, text):
    with pytest.raises(ValueError, match=text):
        perceptron.predict([tf.zeros(shape) for shape in weights], tf.zeros(x))


def test_a_truth_of_another_shape_is_an_error_and_not_broadcast():
    text = r"got y of shape \(4,\) for yhat of shape \(1, 4\); it expected one value of y for each of yhat. Reshape y"
    with pytest.raises(ValueError, match=text):
        perceptron.cross_entropy(tf.zeros([4]), tf.fill([1, 4], 0.5))
    with pytest.raises(ValueError, match=text):
        perceptron.gradient([tf.zeros([1, 3])], tf.zeros([2, 4]), tf.zeros([4]))


def test_a_vector_of_another_length_is_an_error():
    with pytest.raises(ValueError, match=r"got a vector of shape \(8,\) for 2 layers; it expected \(9,\), one entry"):
        perceptron.as_matrices(tf.zeros([8]), [tf.zeros([2, 3]), tf.zeros([1, 3])])
