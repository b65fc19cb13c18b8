"""The multi-layer perceptron: prediction, error and gradient, for any number of layers.

    yhat = sigma W3 . sigma W2 . sigma . W1 (x)
    E(W) = -1/m sum_i [ y_i ln(yhat_i) + (1 - y_i) ln(1 - yhat_i) ]
    grad E = the vector of all dE / dw_j^(i)

Slide S1. An example is a column: x is [inputs, m] for m examples, yhat [outputs, m]. Each map is affine, W (x; 1): a
layer's W is [units, units below + 1] and its last column holds the biases. Backpropagation: Rumelhart et al. 1986.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from models.foundations.activations import ACTIVATIONS

Tensor = Any

sigma = ACTIVATIONS["sigmoid"].value


def predict(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """yhat [outputs, m] for x [inputs, m]; weights W1, W2, ..., each [units, units below + 1].

    Raises ValueError when there is no layer, or when one does not fit what is below it."""
    return _outputs(weights, x)[-1]


def cross_entropy(y: Tensor, yhat: Tensor) -> Tensor:
    """E, a scalar: the binary cross-entropy of yhat against the truth y, both [m] or [outputs, m], in nats.

    The mean is over the m examples; several outputs are summed. Nothing is clipped: 0 ln(0) is 0, its limit, and to be
    certain and wrong costs infinity. Raises ValueError when the shapes differ."""
    if not tf.TensorShape(y.shape).is_compatible_with(yhat.shape):
        raise ValueError(
            f"cross_entropy got y of shape {tuple(y.shape)} for yhat of shape {tuple(yhat.shape)}; "
            "it expected one value of y for each of yhat. Reshape y."
        )
    m = tf.cast(tf.shape(yhat)[-1], yhat.dtype)
    return -1 / m * tf.reduce_sum(tf.math.xlogy(y, yhat) + tf.math.xlog1py(1 - y, -yhat))


def gradient(weights: Sequence[Tensor], x: Tensor, y: Tensor) -> Tensor:
    """grad E as one vector, in the order of `as_vector`; x [inputs, m], y [outputs, m].

    Errors as of `predict` and `cross_entropy`."""
    *below, yhat = _outputs(weights, x)  # what each layer sees, and what the last one says
    cross_entropy(y, yhat)  # for its errors
    by_layer = []
    delta = (yhat - y) / tf.cast(tf.shape(x)[-1], yhat.dtype)  # dE/dz of the last layer, where yhat = sigma(z)
    for W, h in zip(reversed(weights), reversed(below), strict=True):
        by_layer.append(tf.matmul(delta, _with_one(h), transpose_b=True))  # dE/dW
        delta = tf.matmul(W[:, :-1], delta, transpose_a=True) * h * (1 - h)  # dE/dz below; not used after W1
    return as_vector(by_layer[::-1])


def as_vector(matrices: Sequence[Tensor]) -> Tensor:
    """The numbers of the matrices as one vector: W1 first, each row after row, so that a unit's bias ends its row."""
    return tf.concat([tf.reshape(W, [-1]) for W in matrices], axis=0)


def as_matrices(vector: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """The way back from `as_vector`: matrices of the shapes of the weights.

    Raises ValueError when the vector has another number of entries than the weights."""
    sizes = [int(W.shape[0] * W.shape[1]) for W in weights]
    if tuple(vector.shape) != (sum(sizes),):
        raise ValueError(
            f"as_matrices got a vector of shape {tuple(vector.shape)} for {len(sizes)} layers; "
            f"it expected {(sum(sizes),)}, one entry for each weight. Pass the weights that the gradient is of."
        )
    return [tf.reshape(part, W.shape) for part, W in zip(tf.split(vector, sizes), weights, strict=True)]


def _outputs(weights: Sequence[Tensor], x: Tensor) -> list[Tensor]:
    """x, then the output of each layer, the last of them yhat."""
    if not weights:
        raise ValueError("the perceptron got no weights; it expected a matrix for each layer, at least one.")
    outputs = [x]
    for i, W in enumerate(weights, start=1):
        _check(i, W, outputs[-1])
        outputs.append(sigma(tf.matmul(W, _with_one(outputs[-1]))))
    return outputs


def _with_one(h: Tensor) -> Tensor:
    """(h; 1): [units, m] to [units + 1, m], so that a matrix holds its biases."""
    return tf.concat([h, tf.ones_like(h[:1])], axis=0)


def _check(i: int, W: Tensor, below: Tensor) -> None:
    if len(W.shape) != 2 or len(below.shape) != 2:
        raise ValueError(
            f"the perceptron got W{i} of shape {tuple(W.shape)} for a column of shape {tuple(below.shape)}; "
            "it expected two axes of each. One example is a matrix of one column, [inputs, 1]."
        )
    units, columns = below.shape[0], W.shape[1]
    if units is not None and columns is not None and columns != units + 1:
        raise ValueError(
            f"the perceptron got W{i} of shape {tuple(W.shape)} for {units} units below it; it expected "
            f"{units + 1} columns, one for each unit and the last for the biases."
        )
