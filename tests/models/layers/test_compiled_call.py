"""Calls compiled for one shape: the same numbers as the layer's own, and an answer to whatever else is given."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import GRU, LSTM, VanillaRNN, compiled_call
from models.layers.compiled_call import _runtime_call

BATCH, STEPS, FEATURES, UNITS = 2, 3, 4, 5


def inputs(seed: int, *shape: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


@pytest.mark.parametrize("Layer", [LSTM, GRU, VanillaRNN])
def test_a_step_gives_what_keras_gives_with_the_state_handed_on(Layer):
    theirs = {LSTM: keras.layers.LSTM, GRU: keras.layers.GRU, VanillaRNN: keras.layers.SimpleRNN}[Layer]
    ours, keras_layer = Layer(UNITS, return_state=True), theirs(UNITS, return_sequences=True)
    x = inputs(0, BATCH, STEPS, FEATURES)
    keras_layer.build(x.shape)
    ours.build(x.shape)
    keras_layer.set_weights([inputs(k, *w.shape).numpy() for k, w in enumerate(ours.weights)])
    ours.set_weights(keras_layer.get_weights())
    states = [tf.zeros([BATCH, UNITS])] * (2 if Layer is LSTM else 1)
    step = compiled_call(lambda x, *before: ours(x, initial_state=list(before)), x[:, :1], *states)
    outputs = []
    for time in range(STEPS):
        output, *states = step(x[:, time : time + 1], *states)
        outputs.append(output)
    np.testing.assert_allclose(tf.stack(outputs, axis=1), keras_layer(x), atol=2e-5)


def test_weights_that_change_are_seen():
    layer = VanillaRNN(UNITS)
    x = inputs(0, BATCH, STEPS, FEATURES)
    call = compiled_call(layer, x)
    layer.set_weights([w * 0.5 for w in layer.get_weights()])
    np.testing.assert_allclose(call(x), layer(x), atol=2e-5)


def test_arrays_are_taken_and_nested_results_given_back():
    layer = LSTM(UNITS, return_state=True)
    x = inputs(0, BATCH, STEPS, FEATURES)

    def named(x):
        output, *states = layer(x)
        return {"output": output, "states": states}

    found = compiled_call(named, tf.TensorSpec(x.shape, x.dtype))(x.numpy())
    output, h, c = layer(x)
    np.testing.assert_allclose(found["output"], output, atol=2e-5)
    np.testing.assert_allclose(found["states"][0], h, atol=2e-5)
    np.testing.assert_allclose(found["states"][1], c, atol=2e-5)


def test_inside_a_graph_it_is_an_ordinary_function():
    layer = GRU(UNITS)
    x = inputs(0, BATCH, STEPS, FEATURES)
    call = compiled_call(layer, x)
    np.testing.assert_allclose(tf.function(lambda x: call(x) * 2)(x), layer(x) * 2, atol=2e-5)


def test_a_result_that_is_an_input_or_comes_twice_stays_in_its_place():
    x, y = inputs(0, 2), inputs(1, 2)
    first, second, third = compiled_call(lambda x, y: (y, x, y), x, y)(x, y)
    for found, expected in ((first, y), (second, x), (third, y)):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((tf.zeros([2, 3]),), r"float32 \(2, 3\).*compiled for float32 \(2, 2\)"),
        ((tf.zeros([2, 2], tf.float64),), r"float64 \(2, 2\).*compiled for float32 \(2, 2\)"),
        ((tf.zeros([2, 2]), tf.zeros([2, 2])), r"float32 \(2, 2\), float32 \(2, 2\)"),
    ],
)
def test_other_inputs_are_refused_with_both_shapes(given, said):
    call = compiled_call(lambda x: x + 1, tf.zeros([2, 2]))
    with pytest.raises(ValueError, match=said):
        call(*given)


def test_a_size_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="every size to be known"):
        compiled_call(lambda x: x, tf.TensorSpec([None, 2]))


def test_a_tensorflow_without_the_short_way_is_called_by_the_public_one(monkeypatch):
    module = sys.modules["models.layers.compiled_call"]  # the package has the function under this name
    monkeypatch.setattr(module, "_runtime_call", lambda concrete: None)
    x = inputs(0, BATCH, STEPS, FEATURES)
    layer = LSTM(UNITS, return_state=True)
    for found, expected in zip(compiled_call(layer, x)(x), layer(x), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_this_tensorflow_has_the_short_way():
    concrete = tf.function(lambda x: x + 1).get_concrete_function(tf.TensorSpec([2]))
    run = _runtime_call(concrete)
    assert run is not None
    np.testing.assert_array_equal(run([tf.constant([1.0, 2.0])])[0], [2.0, 3.0])
