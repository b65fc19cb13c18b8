"""torch's recurrences as their documentation states them, for the tests: numpy, doubles, one sequence.

Nothing here knows the project's code. The formulas are those of torch.nn.LSTM, torch.nn.GRU and torch.nn.RNN; arrays
by the names of their state_dict, without the layer's number.
"""

import numpy as np


def sigm(x):
    return 1 / (1 + np.exp(-x))


def sides(arrays, x, h):
    """W_i x + b_i and W_h h + b_h; no biases are zeros."""
    return [
        arrays[f"weight_{side}"].astype(np.float64) @ value + arrays.get(f"bias_{side}", 0.0)
        for side, value in (("ih", x), ("hh", h))
    ]


def lstm(arrays, xs):
    """i, f, g, o = W_i x + b_i + W_h h + b_h;  c' = f c + i g;  h' = o tanh(c')"""
    n = arrays["weight_hh"].shape[1]
    h, c, outputs = np.zeros(n), np.zeros(n), []
    for x in xs:
        z = sum(sides(arrays, x, h))
        i, f, g, o = sigm(z[:n]), sigm(z[n : 2 * n]), np.tanh(z[2 * n : 3 * n]), sigm(z[3 * n :])
        c = f * c + i * g
        h = o * np.tanh(c)
        outputs.append(h)
    return np.array(outputs)


def gru(arrays, xs):
    """r, z = sigm(...);  n = tanh(W_in x + b_in + r (W_hn h + b_hn));  h' = (1 - z) n + z h"""
    size = arrays["weight_hh"].shape[1]
    h, outputs = np.zeros(size), []
    for x in xs:
        a, b = sides(arrays, x, h)
        r, z = sigm(a[:size] + b[:size]), sigm(a[size : 2 * size] + b[size : 2 * size])
        n = np.tanh(a[2 * size :] + r * b[2 * size :])
        h = (1 - z) * n + z * h
        outputs.append(h)
    return np.array(outputs)


def rnn(arrays, xs, nonlinearity=np.tanh):
    """h' = tanh(W_i x + b_i + W_h h + b_h)"""
    h, outputs = np.zeros(arrays["weight_hh"].shape[1]), []
    for x in xs:
        h = nonlinearity(sum(sides(arrays, x, h)))
        outputs.append(h)
    return np.array(outputs)


RUN = {"LSTM": lstm, "GRU": gru, "VanillaRNN": rnn}
GATES = {"LSTM": 4, "GRU": 3, "VanillaRNN": 1}


def state_dict(kind, features, units, *, bias=True, ending="_l0", seed=11):
    """Distinct random arrays by torch's names."""
    rng, rows = np.random.default_rng(seed), GATES[kind] * units
    shapes = {"weight_ih": (rows, features), "weight_hh": (rows, units)}
    if bias:
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    return {name + ending: rng.normal(scale=0.6, size=shape).astype("float32") for name, shape in shapes.items()}


def without(ending, arrays):
    """The arrays of one layer by their names without its ending."""
    return {name.removesuffix(ending): array for name, array in arrays.items() if name.endswith(ending)}
