"""Backpropagation written out by hand, in a network of two inputs, two hidden units and one output.

    yhat = sigma W2 . sigma . W1 (x)
    W'_ij^(k) <- W_ij^(k) - alpha dE/dW_ij^(k)

Slide S2. Row 1 and 2 of a matrix belong to what comes in, row 3, the last, is the bias; a column belongs to a unit. So
W1 is 3x2, W2 is 3x1, and W1 (x) = W1^T (x; 1). An example is a column: x is [2, m], y [1, m]. E is that of slide S1.

grad E is drawn as a 3x3 matrix: a column for each of the three units, as they stand in W1 and W2.

    ( dE/dW1[:,1]   dE/dW1[:,2]   dE/dW2[:,1] )
"""

from typing import Any, NamedTuple

import tensorflow as tf

from models.foundations.activations import ACTIVATIONS

Tensor = Any

sigma = ACTIVATIONS["sigmoid"].value


class Weights(NamedTuple):
    """The two matrices; the last row of each is the bias."""

    W1: Tensor  # [3, 2]  (x1; x2; 1) to the two hidden units
    W2: Tensor  # [3, 1]  (h1; h2; 1) to the output


def predict(W: Weights, x: Tensor) -> Tensor:
    """yhat [1, m] for x [2, m]."""
    h = sigma(tf.matmul(W.W1, _with_one(x), transpose_a=True))
    return sigma(tf.matmul(W.W2, _with_one(h), transpose_a=True))


def gradient_matrix(W: Weights, x: Tensor, y: Tensor) -> Tensor:
    """grad E [3, 3] for x [2, m], y [1, m]; E is the mean cross-entropy over the m examples.

    Raises ValueError when y is not one row of as many columns as x."""
    if not tf.TensorShape([1, x.shape[1]]).is_compatible_with(y.shape):
        raise ValueError(
            f"gradient_matrix got y of shape {tuple(y.shape)} for x of shape {tuple(x.shape)}; it expected "
            f"{(1, x.shape[1])}, one value for each column of x."
        )
    # forward, each sum of the slide with its own name; all of one row are [m]
    x1, x2 = tf.unstack(x)
    one = tf.ones_like(x1)
    h1 = sigma(W.W1[0, 0] * x1 + W.W1[1, 0] * x2 + W.W1[2, 0])
    h2 = sigma(W.W1[0, 1] * x1 + W.W1[1, 1] * x2 + W.W1[2, 1])
    yhat = sigma(W.W2[0, 0] * h1 + W.W2[1, 0] * h2 + W.W2[2, 0])

    # backward: dE/dz of each unit, z being what its sigma acts on
    m = tf.cast(tf.shape(x)[1], x.dtype)
    d3 = (yhat - y[0]) / m  # sigma' and the derivative of the cross-entropy cancel
    d2 = d3 * W.W2[1, 0] * h2 * (1 - h2)
    d1 = d3 * W.W2[0, 0] * h1 * (1 - h1)

    # dE/dw = dE/dz times what came in through w, summed over the examples
    return tf.reduce_sum(
        [
            [d1 * x1, d2 * x1, d3 * h1],
            [d1 * x2, d2 * x2, d3 * h2],
            [d1 * one, d2 * one, d3 * one],
        ],
        axis=-1,
    )


def update(W: Weights, gradient: Tensor, alpha: float) -> Weights:
    """One step of plain gradient descent; gradient [3, 3] as of `gradient_matrix`, alpha the learning rate."""
    return Weights(W1=W.W1 - alpha * gradient[:, :2], W2=W.W2 - alpha * gradient[:, 2:])


def _with_one(h: Tensor) -> Tensor:
    """(h; 1): [2, m] to [3, m], so that a matrix holds its biases."""
    return tf.concat([h, tf.ones_like(h[:1])], axis=0)
