"""How much of the gradient arrives at early time steps: why the gates are there.

    g_t = | d E / d state_t |,   E = v . h_T   for a fixed direction v,   g_t / g_T over t = T, T - 1, ..., 1

A vanilla recurrence multiplies by W' diag(1 - h^2) at every step back, so that g_t shrinks (or grows) geometrically;
an LSTM carries its memory on by a product with the forget gate alone. Slides S9 and S10; Bengio et al. 1994.
"""

from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from models.layers import Recurrence

BATCH, SEED = 16, 0


def recurrence_of(model: keras.Model) -> Recurrence:
    """The first recurrence of a network. Raises ValueError when it has none."""
    for layer in model._flatten_layers():
        if isinstance(layer, Recurrence):
            return layer
    raise ValueError(f"{model.name} has no recurrence; expected a network built on one of models.layers.")


def gradient_sizes(layer: Recurrence, steps: int) -> np.ndarray:
    """g_t / g_T for t = 1 to T = steps, [steps]: the mean over sequences of noise with unit variance.

    The layer's weights are used as they are; the state is all of it, for an LSTM h and c."""
    own: dict[str, Any] = {"return_state": True, "return_sequences": False, "go_backwards": False}
    once = type(layer).from_config({**layer.get_config(), **own, "dropout": 0.0, "recurrent_dropout": 0.0})
    features = layer.kernel.shape[0]
    once.build((None, 1, features))
    once.set_weights(layer.get_weights()[: len(once.weights)])
    rng = np.random.default_rng(SEED)
    noise = tf.constant(rng.normal(size=(BATCH, steps, features)), tf.float32)
    direction = tf.constant(rng.normal(size=layer.units), tf.float32)
    state = [tf.zeros((BATCH, layer.units)) for _ in layer.cell.State._fields]
    states = []
    with tf.GradientTape() as tape:
        for step in range(steps):
            _, *state = once(noise[:, step : step + 1], initial_state=state)
            state = [tf.identity(part) for part in state]
            tape.watch(state)
            states.append(state)
        error = tf.reduce_sum(state[0] * direction)
    gradients = cast(list[list[Any]], tape.gradient(error, states, unconnected_gradients="zero"))
    squares = [sum(tf.reduce_sum(tf.square(part), axis=-1) for part in parts) for parts in gradients]
    sizes: np.ndarray = np.sqrt(np.stack([each.numpy() for each in squares])).mean(axis=1)
    return sizes / sizes[-1]
