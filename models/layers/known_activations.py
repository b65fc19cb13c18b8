"""Which functions are the activations that an engine, or another library, computes by itself.

A function is known by itself, not by its name: somebody's own `tanh` may be another one.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

KNOWN: Mapping[str, tuple[Callable[..., Any], ...]] = {
    "tanh": (keras.activations.tanh, keras.ops.tanh, tf.tanh),
    "sigmoid": (keras.activations.sigmoid, keras.ops.sigmoid, tf.sigmoid),
    "relu": (keras.activations.relu, keras.ops.relu, tf.nn.relu),
}


def activation_name(activation: Any) -> str:
    """The activation's name in a sentence; one of `KNOWN` only where it is that function and no namesake."""
    for name, functions in KNOWN.items():
        if any(activation is function for function in functions):
            return name
    name = getattr(activation, "__name__", "a function without a name")
    return f"another function named {name}" if name in KNOWN else name
