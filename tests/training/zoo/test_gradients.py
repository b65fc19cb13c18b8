"""The gradient over the time steps, against the product of Jacobians by hand."""

import keras
import numpy as np
import pytest

from models.layers import LSTM, VanillaRNN
from training.zoo.gradients import BATCH, SEED, gradient_sizes, recurrence_of

STEPS, FEATURES, UNITS = 12, 3, 5


def of_random_weights(layer):
    layer.build((None, None, FEATURES))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(scale=0.4, size=w.shape) for w in layer.get_weights()])
    return layer


def test_a_vanilla_recurrence_multiplies_by_its_jacobian_at_each_step_back():
    layer = of_random_weights(VanillaRNN(UNITS, recurrent_dropout=0.3))
    kernel, recurrent, bias = (w.astype(float) for w in layer.get_weights())
    rng = np.random.default_rng(SEED)
    noise, direction = rng.normal(size=(BATCH, STEPS, FEATURES)), rng.normal(size=UNITS)
    sizes = np.zeros((BATCH, STEPS))
    for row, series in enumerate(noise):
        h, states = np.zeros(UNITS), []
        for x in series:
            h = np.tanh(x @ kernel + h @ recurrent + bias)
            states.append(h)
        gradient = direction
        for step in reversed(range(STEPS)):
            sizes[row, step] = np.linalg.norm(gradient)
            gradient = recurrent @ (gradient * (1 - states[step] ** 2))
    expected = sizes.mean(axis=0)
    np.testing.assert_allclose(gradient_sizes(layer, STEPS), expected / expected[-1], rtol=1e-3)


def test_an_lstm_that_forgets_nothing_loses_nothing():
    layer = of_random_weights(LSTM(UNITS))
    kernel, recurrent, bias = layer.get_weights()
    bias[UNITS : 2 * UNITS] = 30.0  # i, f, g, o: the forget gate is open
    layer.set_weights([kernel, 0 * recurrent, bias])
    sizes = gradient_sizes(layer, STEPS)
    assert sizes[-1] == 1
    np.testing.assert_allclose(sizes[:-1], sizes[0], rtol=1e-5)


def test_the_first_recurrence_of_a_network_is_found_inside_others():
    inside = LSTM(4)
    model = keras.Sequential([keras.Input((None, 2)), keras.layers.Bidirectional(inside)])
    assert isinstance(recurrence_of(model), LSTM)
    with pytest.raises(ValueError, match="has no recurrence; expected a network built on"):
        recurrence_of(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
