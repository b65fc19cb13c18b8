"""One time step against the numbers of the slides, by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.layers import GRUCell, LSTMCell, VanillaRNNCell
from models.layers.equations.gru import GRUParts, GRUState, gru_reset_after_step, gru_step
from models.layers.equations.lstm import LSTMGates, LSTMState, lstm_step
from models.layers.equations.vanilla_rnn import VanillaRNNState, VanillaRNNSum, vanilla_rnn_step

LN3 = np.log(3.0)  # sigm(ln 3) = 3/4, sigm(-ln 3) = 1/4, tanh(ln 3) = 4/5


def column(*values):
    return tf.constant([values], tf.float64)


def test_s10_one_step_by_hand():
    z = LSTMGates(i=column(LN3), f=column(-LN3), o=column(LN3), g=column(LN3))
    after = lstm_step(z, LSTMState(h=column(0.3), c=column(0.8)))
    c = 1 / 4 * 0.8 + 3 / 4 * 4 / 5
    np.testing.assert_allclose(after.c, [[c]], rtol=1e-12)
    np.testing.assert_allclose(after.h, [[3 / 4 * np.tanh(c)]], rtol=1e-12)


def test_s11_a_closed_forget_gate_erases_the_cell_and_an_open_one_keeps_it():
    shut, wide = column(-1e9), column(1e9)
    before = LSTMState(h=column(0.0), c=column(0.7))
    erased = lstm_step(LSTMGates(i=shut, f=shut, o=wide, g=wide), before)
    kept = lstm_step(LSTMGates(i=shut, f=wide, o=wide, g=wide), before)
    assert erased.c.numpy() == [[0.0]]
    assert kept.c.numpy() == [[0.7]]


def test_s11_a_closed_output_gate_reveals_nothing_of_the_cell():
    shut, wide = column(-1e9), column(1e9)
    after = lstm_step(LSTMGates(i=wide, f=wide, o=shut, g=wide), LSTMState(h=column(0.9), c=column(0.7)))
    assert after.h.numpy() == [[0.0]]
    assert after.c.numpy() == [[1.7]]


def test_s8_one_step_by_hand():
    after = vanilla_rnn_step(VanillaRNNSum(h=column(LN3, 0.0)), VanillaRNNState(h=column(0.5, 0.5)))
    np.testing.assert_allclose(after.h, [[0.8, 0.0]], rtol=1e-12)


def test_a_gru_step_by_hand_in_both_forms():
    x, before = GRUParts(z=column(-LN3), r=column(LN3), h=column(0.2)), GRUState(h=column(0.5))
    u = {"z": 0.0, "r": 0.0, "h": 0.4}  # what W gives is x, what U gives is u * h
    z, r = 1 / 4, 3 / 4
    expected = z * 0.5 + (1 - z) * np.tanh(0.2 + 0.4 * (r * 0.5))
    after = gru_step(x, before, lambda part, h: u[part] * h)
    np.testing.assert_allclose(after.h, [[expected]], rtol=1e-12)
    after = gru_reset_after_step(x, GRUParts(**{part: value * before.h for part, value in u.items()}), before)
    np.testing.assert_allclose(after.h, [[expected]], rtol=1e-12)  # without a recurrent bias the forms agree for n = 1


@given(
    arrays.arrays(np.float64, (3, 4), elements=st.floats(-30, 30)),
    arrays.arrays(np.float64, (3,), elements=st.floats(-5, 5)),
)
def test_the_memory_never_grows_by_more_than_one_and_the_output_stays_within_one(z, c):
    after = lstm_step(LSTMGates(*tf.constant(z.T[:, None, :])), LSTMState(h=column(0, 0, 0), c=tf.constant(c[None])))
    assert np.all(np.abs(after.c) <= np.abs(c) + 1)
    assert np.all(np.abs(after.h) <= 1)


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (LSTMCell, keras.layers.LSTMCell, {}),
        (VanillaRNNCell, keras.layers.SimpleRNNCell, {}),
        (GRUCell, keras.layers.GRUCell, {"reset_after": True}),
        (GRUCell, keras.layers.GRUCell, {"reset_after": False}),
    ],
)
def test_our_step_is_the_step_of_the_keras_cell_for_distinct_random_weights(ours, theirs, options, rng, distinct):
    ours, theirs = ours(4, **options), theirs(4, **options)
    for cell in (ours, theirs):
        cell.build((2, 3))
    distinct(ours, theirs)
    x = rng.normal(size=(2, 3)).astype("float32")
    states = [rng.normal(size=(2, 4)).astype("float32") for _ in ours.state_size]
    for mine, its in zip(tf.nest.flatten(ours(x, states)), tf.nest.flatten(theirs(x, states)), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-6)
