"""Values and derivatives against numbers by hand, finite differences and automatic differentiation."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.foundations import ACTIVATIONS

LN2, LN3 = math.log(2), math.log(3)

# e^x is 1/2 at -ln 2, 1 at 0, 3 at ln 3
BY_HAND = {
    "sigmoid": ([1 / 3, 1 / 2, 3 / 4], [2 / 9, 1 / 4, 3 / 16]),
    "tanh": ([-3 / 5, 0, 4 / 5], [16 / 25, 1, 9 / 25]),
    "relu": ([0, 0, LN3], [0, 0, 1]),
    "leaky_relu": ([-0.01 * LN2, 0, LN3], [0.01, 0.01, 1]),
    "elu": ([-1 / 2, 0, LN3], [1 / 2, 1, 1]),
}

KINKED = {"relu", "leaky_relu"}
numbers = st.floats(-30, 30)
names = pytest.mark.parametrize("name", ACTIVATIONS)


def test_the_table_has_the_five_of_the_slide():
    assert list(ACTIVATIONS) == ["sigmoid", "tanh", "relu", "leaky_relu", "elu"]


@names
def test_s3_values_and_derivatives_by_hand(name):
    x = tf.constant([-LN2, 0, LN3], tf.float64)
    value, derivative = BY_HAND[name]
    np.testing.assert_allclose(ACTIVATIONS[name].value(x), value, rtol=1e-14)
    np.testing.assert_allclose(ACTIVATIONS[name].derivative(x), derivative, rtol=1e-14)


@names
@settings(max_examples=50, deadline=None)
@given(xs=st.lists(numbers, min_size=1, max_size=8))
def test_the_derivative_is_that_of_automatic_differentiation_also_at_a_kink(name, xs):
    x = tf.constant([*xs, 0.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = ACTIVATIONS[name].value(x)
    np.testing.assert_allclose(ACTIVATIONS[name].derivative(x), tape.gradient(value, x), rtol=1e-9, atol=1e-15)


@names
@settings(max_examples=50, deadline=None)
@given(x=numbers)
def test_the_derivative_is_the_slope_of_the_value(name, x):
    h = 1e-6
    if name in KINKED and abs(x) <= h:
        x = 2 * h
    low, high = ACTIVATIONS[name].value(tf.constant([x - h, x + h], tf.float64)).numpy()
    derivative = ACTIVATIONS[name].derivative(tf.constant(x, tf.float64))
    np.testing.assert_allclose(derivative, (high - low) / (2 * h), rtol=1e-5, atol=1e-8)


@names
def test_at_a_kink_the_derivative_is_the_one_from_the_left(name):
    at, before = ACTIVATIONS[name].derivative(tf.constant([0.0, -1e-30], tf.float64)).numpy()
    assert at == before


def test_the_values_are_those_of_tensorflow():
    x = tf.constant(np.linspace(-5, 5, 41))
    for name, theirs in {"sigmoid": tf.nn.sigmoid, "tanh": tf.nn.tanh, "relu": tf.nn.relu, "elu": tf.nn.elu}.items():
        np.testing.assert_allclose(ACTIVATIONS[name].value(x), theirs(x), rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(
        ACTIVATIONS["leaky_relu"].value(x), tf.nn.leaky_relu(x, 0.01), rtol=1e-7
    )  # float32 inside


@names
@pytest.mark.parametrize("dtype", [tf.float64, tf.float32, tf.bfloat16])
def test_in_a_graph_it_keeps_dtype_and_shape_and_stays_finite_far_out(name, dtype):
    x = tf.constant([[-1000, -50, 0], [1, 50, 1000]], dtype)
    for function in (ACTIVATIONS[name].value, ACTIVATIONS[name].derivative):
        in_graph = tf.function(function, autograph=False)(x)
        assert in_graph.dtype == dtype
        assert in_graph.shape == x.shape
        assert np.all(np.isfinite(in_graph.numpy().astype("float64")))
        np.testing.assert_array_equal(in_graph, function(x))


@names
def test_the_gradient_of_the_value_stays_finite_far_out(name):
    x = tf.constant([-1000.0, 1000.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = ACTIVATIONS[name].value(x)
    assert np.all(np.isfinite(tape.gradient(value, x)))


@names
def test_not_a_number_passes_through(name):
    assert np.isnan(ACTIVATIONS[name].value(tf.constant(math.nan)))


def test_the_derivative_of_the_sigmoid_is_exact_where_it_is_nearly_1():
    derivative = ACTIVATIONS["sigmoid"].derivative(tf.constant(20.0))
    np.testing.assert_allclose(derivative, math.exp(-20) / (1 + math.exp(-20)) ** 2, rtol=1e-6)


def test_an_activation_is_a_value():
    with pytest.raises(AttributeError):
        ACTIVATIONS["relu"].value = tf.nn.relu6
