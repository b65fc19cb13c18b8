"""A function that only bears the name of an activation is not taken for it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import GRU, LSTM, VanillaRNN, engines, to_torch
from models.layers.known_activations import activation_name

LOOPS = ("fused", "compiled", "cudnn")


def tanh(x):
    """That of LeCun et al. 1998, Efficient BackProp, section 4.4."""
    return 1.7159 * tf.tanh(2 * x / 3)


def sigmoid(x):
    """Half as steep."""
    return tf.sigmoid(x / 2)


def built(layer, like=None):
    layer.build((None, None, 3))
    rng = np.random.default_rng(7)
    layer.set_weights(
        like.get_weights() if like else [rng.normal(scale=0.6, size=w.shape) for w in layer.get_weights()]
    )
    return layer


@pytest.mark.parametrize("engine", LOOPS)
def test_the_reasons_name_the_namesake(Layer, engine):
    (reason,) = engines.why_not(engine, Layer(4, tanh))
    assert reason == "tanh is another function named tanh, the fused gradient is written for tanh"
    with pytest.raises(ValueError, match=f"engine='{engine}' cannot run .*: tanh is another function named tanh"):
        Layer(4, tanh, engine=engine)(tf.zeros([1, 2, 3]))


@pytest.mark.parametrize("Gated", [LSTM, GRU])
def test_the_reasons_name_the_namesake_of_the_gates_too(Gated):
    (reason,) = engines.why_not("fused", Gated(4, recurrent_activation=sigmoid))
    assert reason == "sigm is another function named sigmoid, the fused gradient is written for sigmoid"


def test_auto_computes_the_function_that_was_given(Layer, Peer, rng):
    inputs = rng.normal(size=(2, 5, 3)).astype("float32")
    auto = built(Layer(4, tanh))
    for other in (Layer(4, tanh, engine="equation"), Peer(4, tanh)):
        np.testing.assert_allclose(auto(inputs), built(other, auto)(inputs), atol=1e-6)
    assert not np.allclose(auto(inputs), built(Layer(4), auto)(inputs), atol=1e-2)


@pytest.mark.parametrize("function", [keras.activations.tanh, keras.ops.tanh, tf.tanh, tf.nn.tanh, tf.math.tanh])
def test_the_function_itself_is_known_from_wherever_it_is_taken(Layer, function):
    assert engines.why_not("fused", Layer(4, function)) == []


@pytest.mark.parametrize("function", [keras.activations.sigmoid, keras.ops.sigmoid, tf.sigmoid, tf.nn.sigmoid])
def test_the_gates_function_itself_is_known_from_wherever_it_is_taken(function):
    assert engines.why_not("fused", LSTM(4, recurrent_activation=function)) == []


def test_a_function_of_another_name_or_of_none_is_named():
    assert activation_name(keras.activations.hard_sigmoid) == "hard_sigmoid"
    assert activation_name(keras.layers.LeakyReLU()) == "a function without a name"


def test_torch_is_not_said_to_compute_a_namesake():
    with pytest.raises(ValueError, match="activation is another function named tanh, torch has tanh or relu"):
        to_torch(built(VanillaRNN(4, tanh)))
    with pytest.raises(ValueError, match="recurrent_activation is another function named sigmoid, torch has sigmoid"):
        to_torch(built(LSTM(4, recurrent_activation=sigmoid)))
