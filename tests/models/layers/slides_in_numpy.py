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


RUN = {"GRU": gru, "LSTM": lstm, "VanillaRNN": vanilla_rnn}
