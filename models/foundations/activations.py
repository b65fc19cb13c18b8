"""The activations of slide S3, each with its derivative.

    sigmoid      1 / (1 + e^-x)                         tanh   (e^x - e^-x) / (e^x + e^-x)
    ReLU         max(x, 0)
    leaky ReLU   x where x > 0, else SLOPE x
    ELU          x where x > 0, else ALPHA (e^x - 1)

ReLU and leaky ReLU have a kink at 0. Their derivative there is the one from the left, 0 and SLOPE, as in TensorFlow's
own gradients. ELU with ALPHA = 1 has none: its derivative at 0 is 1 from both sides.

ReLU: Nair & Hinton 2010. Leaky ReLU: Maas et al. 2013. ELU: Clevert et al. 2016.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

Tensor = Any

SLOPE = 0.01  # of the leaky ReLU below 0, as in its paper
ALPHA = 1.0  # ELU tends to -ALPHA; at 1 there is no kink


@dataclass(frozen=True)
class Activation:
    """A function of a float tensor of any shape, element by element, and its derivative at the same x."""

    value: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]


ACTIVATIONS: Mapping[str, Activation] = {
    "sigmoid": Activation(
        value=tf.sigmoid,
        derivative=lambda x: tf.sigmoid(x) * tf.sigmoid(-x),  # s (1 - s), exact also where s is nearly 1
    ),
    "tanh": Activation(
        value=tf.tanh,
        derivative=lambda x: 1 - tf.tanh(x) ** 2,
    ),
    "relu": Activation(
        value=tf.nn.relu,
        derivative=lambda x: tf.where(x > 0, tf.ones_like(x), 0.0),
    ),
    "leaky_relu": Activation(
        value=lambda x: tf.where(x > 0, x, SLOPE * x),
        derivative=lambda x: tf.where(x > 0, tf.ones_like(x), SLOPE),
    ),
    "elu": Activation(  # tf.minimum keeps e^x finite where the other branch is taken
        value=lambda x: tf.where(x > 0, x, ALPHA * tf.math.expm1(tf.minimum(x, 0))),
        derivative=lambda x: tf.where(x > 0, tf.ones_like(x), ALPHA * tf.exp(tf.minimum(x, 0))),
    ),
}
