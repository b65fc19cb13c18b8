"""The slide's W against the layer's own kernels."""

import numpy as np
import pytest

from models.layers import LSTM, VanillaRNN, slide_matrix


@pytest.fixture
def lstm(distinct):
    layer = LSTM(2)
    layer.build((None, None, 3))
    distinct(layer)
    return layer


def test_s10_rows_are_i_f_o_g_and_columns_the_input_then_the_old_state(lstm):
    kernel, recurrent = lstm.kernel.numpy(), lstm.recurrent_kernel.numpy()  # columns i, f, g, o
    W = slide_matrix(lstm)
    assert W.shape == (4 * 2, 3 + 2)
    np.testing.assert_array_equal(W[0:2, :3], kernel[:, 0:2].T)  # i
    np.testing.assert_array_equal(W[2:4, :3], kernel[:, 2:4].T)  # f
    np.testing.assert_array_equal(W[4:6, :3], kernel[:, 6:8].T)  # o
    np.testing.assert_array_equal(W[6:8, :3], kernel[:, 4:6].T)  # g
    np.testing.assert_array_equal(W[6:8, 3:], recurrent[:, 4:6].T)


def test_s11_has_the_old_state_first(lstm):
    s10, s11 = slide_matrix(lstm), slide_matrix(lstm, "before, below")
    np.testing.assert_array_equal(s11, np.concatenate([s10[:, 3:], s10[:, :3]], axis=1))


def test_s9_the_vanilla_matrix_is_n_by_2n_for_an_input_of_n(distinct):
    layer = VanillaRNN(3)
    layer.build((None, None, 3))
    distinct(layer)
    W = slide_matrix(layer)
    assert W.shape == (3, 6)
    np.testing.assert_array_equal(W, np.concatenate([layer.kernel.numpy().T, layer.recurrent_kernel.numpy().T], axis=1))


def test_the_view_cannot_be_written(lstm):
    with pytest.raises(ValueError, match="read-only"):
        slide_matrix(lstm)[0, 0] = 1.0


def test_a_layer_without_weights_says_so():
    with pytest.raises(ValueError, match="has no weights yet; call it, or build it"):
        slide_matrix(LSTM(2))


def test_another_order_of_columns_is_answered_with_the_known_ones(lstm):
    with pytest.raises(ValueError, match=r"columns='input first' is not known; it expected one of 'below, before'"):
        slide_matrix(lstm, "input first")
