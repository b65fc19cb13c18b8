"""One of our layers beside that of Keras, with the same weights: what a caller sees of a call, and its gradients."""

import numpy as np
import tensorflow as tf

from models.layers import GRU, LSTM, VanillaRNN
from tests.models.layers.peers import PEERS

FEATURES, UNITS = 3, 4

FORMS = {
    "LSTM": (LSTM, {}),
    "GRU": (GRU, {}),
    "GRU, reset before": (GRU, {"reset_after": False}),
    "VanillaRNN": (VanillaRNN, {}),
}


def built(layer, batch=None, steps=None):
    """The layer with distinct random weights; two of one shape get the same."""
    layer.build((batch, steps, FEATURES))
    rng = np.random.default_rng(3)
    layer.set_weights([rng.normal(scale=0.6, size=w.shape) for w in layer.get_weights()])
    return layer


def pair(Layer, engine, batch, steps, **options):
    """Our layer and Keras's."""
    options = {"return_sequences": True, "return_state": True, **options}
    ours, theirs = Layer(UNITS, engine=engine, **options), PEERS[Layer](UNITS, **options)
    return built(ours, batch, steps), built(theirs, batch, steps)


def sequences(batch, steps, parts, seed=1, dtype="float32"):
    """Random inputs, and an initial state of so many parts."""
    rng = np.random.default_rng(seed)
    inputs = tf.constant(rng.normal(size=(batch, steps, FEATURES)), dtype)
    return inputs, [tf.constant(rng.normal(size=(batch, UNITS)), dtype) for _ in range(parts)]


def outputs_and_gradients(layer, inputs, start, mask=None, training=None):
    """All outputs, and the gradients for inputs, initial states and weights of a sum that weighs each differently."""
    with tf.GradientTape() as tape:
        tape.watch([inputs, *start])
        results = layer(inputs, initial_state=start, mask=mask, training=training)
        loss = sum(tf.reduce_sum(tf.sin(result * (k + 1.0))) for k, result in enumerate(results))
    return results, tape.gradient(loss, [inputs, *start, *(v.value for v in layer.trainable_variables)])


def assert_close(ours, theirs, tolerance):
    """Within a share of the largest value, for small ones within the tolerance itself."""
    for mine, its in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        scale = max(1.0, float(np.max(np.abs(its), initial=0)))
        np.testing.assert_allclose(mine, its, atol=tolerance * scale)
