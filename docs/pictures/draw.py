"""Draws the pictures of docs/equations.md from the code that the page explains.

python docs/pictures/draw.py [FOLDER]
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from models import LSTM, VanillaRNN
from models.foundations import ACTIVATIONS

STEPS, UNITS, SEEDS = 60, 32, range(5)


def main(folder: Path) -> None:
    """Writes activations.png and gates.png."""
    activations(folder / "activations.png")
    gates(folder / "gates.png")


def activations(path: Path) -> None:
    """S3: each activation and its derivative."""
    x = np.linspace(-4, 4, 401, dtype=np.float32)
    figure, axes = plt.subplots(1, len(ACTIVATIONS), figsize=(12, 2.6), sharey=True, layout="constrained")
    for axis, (name, activation) in zip(axes, ACTIVATIONS.items(), strict=True):
        axis.plot(x, activation.value(tf.constant(x)), label="value")
        axis.plot(x, activation.derivative(tf.constant(x)), label="derivative", linestyle="--")
        axis.set(title=name, ylim=(-1.2, 2))
        axis.grid(alpha=0.3)
    axes[0].legend(loc="upper left", fontsize="small")
    save(figure, path)


def gates(path: Path) -> None:
    """S11: how much of the last state's gradient is left at each step before it, in untrained layers."""
    layers = {
        "vanilla RNN": lambda seed: VanillaRNN(UNITS, recurrent_initializer=glorot(seed), engine="equation"),
        "LSTM, forget gate's bias 1": lambda seed: LSTM(UNITS, recurrent_initializer=glorot(seed), engine="equation"),
        "LSTM, forget gate's bias 5": lambda seed: remembering(seed),
    }
    figure, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for name, make in layers.items():
        sizes = np.mean([reach(make(seed), seed) for seed in SEEDS], axis=0)
        axis.semilogy(range(STEPS), sizes / sizes[-1], label=name)
    axis.set(xlabel="time step", ylabel="|dE/dx_t|, share of the last step's", ylim=(1e-12, 10))
    axis.legend(fontsize="small")
    axis.grid(alpha=0.3)
    save(figure, path)


def glorot(seed: int) -> keras.Initializer:
    """Small random recurrent weights, as they were before orthogonal ones became usual."""
    return keras.initializers.GlorotUniform(seed=seed)


def remembering(seed: int) -> LSTM:
    """An LSTM whose forget gate is nearly open."""
    layer = LSTM(UNITS, recurrent_initializer=glorot(seed), engine="equation")
    layer.build((None, STEPS, UNITS))
    bias = layer.get_weights()[2]
    bias[UNITS : 2 * UNITS] = 5.0
    layer.set_weights([*layer.get_weights()[:2], bias])
    return layer


def reach(layer: keras.Layer, seed: int) -> np.ndarray:
    """The size of the gradient of the last output's sum for the input of each step, [time]."""
    keras.utils.set_random_seed(seed)
    x = tf.random.stateless_normal([8, STEPS, UNITS], [seed, 0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        error = tf.reduce_sum(layer(x))
    return np.asarray(tf.reduce_mean(tf.norm(tape.gradient(error, x), axis=-1), axis=0))


def save(figure: plt.Figure, path: Path) -> None:
    """A PNG without a date in it, so that two runs give one file."""
    figure.savefig(path, dpi=110, metadata={"Software": None})
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
