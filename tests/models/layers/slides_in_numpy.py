"""The recurrences of slides S8 and S10, written for the tests from the slides alone: numpy, column vectors, doubles.

Nothing here knows the project's code. W has the slide's rows (i, f, o, g) and columns (below; before).
"""

import numpy as np


def sigm(x):
    return 1 / (1 + np.exp(-x))


def vanilla_rnn(W, bias, xs, h):
    """h_t = tanh( W (x_t ; h_(t-1)) ), all states of one sequence."""
    states = []
    for x in xs:
        h = np.tanh(W @ np.concatenate([x, h]) + bias)
        states.append((h,))
    return states


def lstm(W, bias, xs, h, c):
    """Slide S10, all states (h, c) of one sequence."""
    n = len(h)
    states = []
    for x in xs:
        z = W @ np.concatenate([x, h]) + bias
        i, f, o, g = sigm(z[:n]), sigm(z[n : 2 * n]), sigm(z[2 * n : 3 * n]), np.tanh(z[3 * n :])
        c = f * c + i * g
        h = o * np.tanh(c)
        states.append((h, c))
    return states


def gru(W, bias, recurrent_bias, xs, h):
    """Cho et al. 2014 with the reset gate after the product; rows z, r, h, columns (below; before)."""
    n = len(h)
    U, W = W[:, -n:], W[:, :-n]
    states = []
    for x in xs:
        a, b = np.split(W @ x + bias, 3), np.split(U @ h + recurrent_bias, 3)
        z, r = sigm(a[0] + b[0]), sigm(a[1] + b[1])
        h = z * h + (1 - z) * np.tanh(a[2] + r * b[2])
        states.append((h,))
    return states


def gru_reset_before(W, bias, xs, h):
    """Cho et al. 2014 with the reset gate on the old state, before the product; rows z, r, h."""
    n = len(h)
    (U_z, U_r, U_h), W = np.split(W[:, -n:], 3), W[:, :-n]
    states = []
    for x in xs:
        a_z, a_r, a_h = np.split(W @ x + bias, 3)
        z, r = sigm(a_z + U_z @ h), sigm(a_r + U_r @ h)
        h = z * h + (1 - z) * np.tanh(a_h + U_h @ (r * h))
        states.append((h,))
    return states


RUN = {"GRU": gru, "GRU, reset before": gru_reset_before, "LSTM": lstm, "VanillaRNN": vanilla_rnn}


def from_keras(name, kernel, recurrent_kernel, bias=None):
    """W and the biases, from Keras's matrices for row vectors; the LSTM's columns there are i, f, g, o."""
    W = np.concatenate([kernel, recurrent_kernel]).T
    if bias is None:
        bias = np.zeros([2, len(W)] if name == "GRU" else len(W))
    if name == "LSTM":
        (i, f, g, o), (b_i, b_f, b_g, b_o) = np.split(W, 4), np.split(bias, 4)
        return np.concatenate([i, f, o, g]), np.concatenate([b_i, b_f, b_o, b_g])
    return (W, *bias) if name == "GRU" else (W, bias)


def padded_sequence(name, weights, xs, start, valid, zero_output_for_mask=False):
    """Each output and the last state of one sequence by Keras's convention for padding: a step that is not valid leaves
    the state as it was and shows the last output once more, zeros before the first; or always zeros."""
    state, shown, outputs = start, np.zeros_like(start[0]), []
    for x, is_valid in zip(xs, valid, strict=True):
        if is_valid:
            (state,) = RUN[name](*weights, [x], *state)
            shown = state[0]
        elif zero_output_for_mask:
            shown = np.zeros_like(shown)
        outputs.append(shown)
    return outputs, state


def layer(name, xs, start, weights, valid=None, go_backwards=False, zero_output_for_mask=False):
    """What a layer of Keras with these weights returns: outputs [batch, time, units], then the parts of the last state.
    xs [batch, time, features], start a list of [batch, units], valid [batch, time] or None."""
    valid = np.ones(xs.shape[:2], bool) if valid is None else valid
    if go_backwards:
        xs, valid = xs[:, ::-1], valid[:, ::-1]
    rows = [
        padded_sequence(name, from_keras(name, *weights), *row, zero_output_for_mask)
        for row in zip(xs, zip(*start, strict=True), valid, strict=True)
    ]
    outputs, states = zip(*rows, strict=True)
    return [np.array(outputs), *(np.array(part) for part in zip(*states, strict=True))]
