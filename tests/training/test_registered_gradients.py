"""A process that trains many times keeps no graph of a training that is over."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from models.layers import LSTM
from training.registered_gradients import forgotten_after


def traced():
    """A function that differentiates an LSTM, with its graph."""
    layer = LSTM(2)

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x)[0])
        return tape.gradient(loss, layer.kernel.value)

    return gradient, gradient.get_concrete_function(tf.TensorSpec([1, 3, 2])).graph


def graph_of_no_function():
    """The graph of such a function that is gone, as long as somebody keeps it."""
    graph = weakref.ref(traced()[1])
    gc.collect()
    return graph


@pytest.fixture
def earlier_objects_aside():
    """The collector goes through none of the objects that other tests left: in a large process that takes long."""
    gc.freeze()
    yield
    gc.unfreeze()


def test_a_graph_goes_with_its_function(earlier_objects_aside):
    with forgotten_after():
        graph = graph_of_no_function()
        assert graph() is not None, "TensorFlow unregisters by itself now: registered_gradients.py is not needed"
    gc.collect()
    assert graph() is None


def test_what_was_traced_within_still_runs_and_what_was_before_can_still_be_differentiated():
    layer = LSTM(2)
    before = tf.function(lambda x: layer(x)[0]).get_concrete_function(tf.TensorSpec([1, 3, 2]))
    x = tf.constant(np.random.default_rng(0).normal(size=(1, 3, 2)), tf.float32)
    with forgotten_after():
        gradient, _ = traced()
        first = gradient(x).numpy()
    np.testing.assert_array_equal(gradient(x).numpy(), first)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(before(x))
    assert np.abs(tape.gradient(loss, x).numpy()).max() > 0


def test_they_are_forgotten_after_an_error_too():
    registered = set(ops.gradient_registry.list())

    @forgotten_after()
    def failing():
        traced()
        assert set(ops.gradient_registry.list()) > registered
        raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert set(ops.gradient_registry.list()) == registered
