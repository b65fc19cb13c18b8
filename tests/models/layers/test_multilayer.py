"""Slides S9 and S10: the grid of depth and time, against numpy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import LSTM, VanillaRNN, multilayer, slide_matrix
from tests.models.layers import slides_in_numpy

N, DEPTH, STEPS = 3, 3, 5


@pytest.mark.parametrize(("Layer", "rows"), [(VanillaRNN, N), (LSTM, 4 * N)])
def test_s9_s10_every_point_of_the_grid_is_the_slides(Layer, rows, distinct, rng):
    stack = multilayer(Layer, DEPTH, N, return_sequences=True, use_bias=False)
    stack.build((1, STEPS, N))
    distinct(stack)
    x = rng.normal(size=(STEPS, N)).astype("float32")
    below = x.astype(np.float64)
    for layer in stack.layers:
        W = slide_matrix(layer).astype(np.float64)
        assert W.shape == (rows, 2 * N)
        start = [np.zeros(N)] * len(layer.cell.state_size)
        below = np.array([state[0] for state in slides_in_numpy.RUN[Layer.__qualname__](W, 0.0, below, *start)])
    np.testing.assert_allclose(stack(x[None])[0], below, atol=2e-6)


def test_s8_the_readout_is_one_matrix_on_the_state(rng):
    rnn, readout = VanillaRNN(N, return_sequences=True), keras.layers.Dense(2, use_bias=False)
    h = rnn(rng.normal(size=(1, STEPS, 4)).astype("float32"))
    y = readout(h)
    W_hy = readout.kernel.numpy().T
    for t in range(STEPS):
        np.testing.assert_allclose(y[0, t], W_hy @ h[0, t].numpy(), rtol=1e-5, atol=1e-6)


def test_the_top_layers_last_state_comes_out_by_default(distinct, rng):
    last, whole = multilayer(LSTM, 2, N), multilayer(LSTM, 2, N, return_sequences=True)
    for stack in (last, whole):
        stack.build((2, STEPS, 4))
    distinct(last, whole)
    x = rng.normal(size=(2, STEPS, 4)).astype("float32")
    np.testing.assert_array_equal(last(x), whole(x)[:, -1])
    assert [layer.name for layer in last.layers] == ["layer_1", "layer_2"]


def test_a_mask_reaches_every_layer(rng):
    stack = multilayer(VanillaRNN, 2, N)
    x = rng.normal(size=(2, STEPS, 4)).astype("float32")
    padded = stack(x, mask=tf.sequence_mask([3, 3], STEPS))
    np.testing.assert_allclose(padded, stack(x[:, :3]), atol=1e-6)


def test_no_layers_are_refused():
    with pytest.raises(ValueError, match="got depth=0; it expected a whole number of at least 1"):
        multilayer(LSTM, 0, N)
