"""The one model that all servers serve: two LSTM layers of 64 units, softmax over 5 classes.

    python -m benchmarks.serving.model FOLDER

Written once as a SavedModel that stock TensorFlow loads: `serving_default` takes x [batch, time, 16] float32, `step`
one time step with the states handed in and out."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models import LSTM

UNITS, FEATURES, CLASSES, TIME = 64, 16, 5, 64
STATES = ("state_h1", "state_c1", "state_h2", "state_c2")


class Classifier(tf.Module):
    """Sequences to class probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.first = LSTM(UNITS, return_sequences=True, return_state=True, engine="fused")
        self.second = LSTM(UNITS, return_state=True, engine="fused")
        self.first.build((None, None, FEATURES))
        self.second.build((None, None, UNITS))
        rng = np.random.default_rng(0)
        for layer in (self.first, self.second):
            layer.set_weights([rng.normal(scale=UNITS**-0.5, size=w.shape) for w in layer.get_weights()])
        self.kernel = tf.Variable(rng.normal(scale=UNITS**-0.5, size=(UNITS, CLASSES)).astype(np.float32))
        self.held = [v.value for layer in (self.first, self.second) for v in layer.weights]

    def probabilities(self, x: Any) -> dict[str, Any]:
        """x [batch, time, 16] to [batch, 5]."""
        below, *_ = self.first(x)
        last, *_ = self.second(below)
        return {"probabilities": tf.nn.softmax(last @ self.kernel)}

    def step(self, x: Any, **states: Any) -> dict[str, Any]:
        """One time step: x [batch, 1, 16], states [batch, 64] each."""
        below, h1, c1 = self.first(x, initial_state=[states["state_h1"], states["state_c1"]])
        last, h2, c2 = self.second(below, initial_state=[states["state_h2"], states["state_c2"]])
        after = dict(zip(STATES, (h1, c1, h2, c2), strict=True))
        return {"probabilities": tf.nn.softmax(last @ self.kernel), **after}


def write(folder: Path) -> None:
    """The SavedModel, as version folder."""
    model = Classifier()

    def spec(name: str, *shape: int | None) -> Any:
        return tf.TensorSpec((None, *shape), tf.float32, name)

    states = {name: spec(name, UNITS) for name in STATES}
    signatures = {
        "serving_default": tf.function(model.probabilities).get_concrete_function(x=spec("x", None, FEATURES)),
        "step": tf.function(model.step).get_concrete_function(x=spec("x", 1, FEATURES), **states),
    }
    tf.saved_model.save(model, str(folder), signatures=signatures)


def sequence() -> NDArray[np.float32]:
    """The request: one sequence [1, 64, 16], normal, written with all the digits that a sensor's numbers have."""
    return np.random.default_rng(1).normal(size=(1, TIME, FEATURES)).astype(np.float32)


def step() -> dict[str, NDArray[np.float32]]:
    """The one-step request: the sequence's first time step, with states as they may come from a step before."""
    rng = np.random.default_rng(2)
    states = {name: rng.uniform(-1, 1, size=(1, UNITS)).astype(np.float32) for name in STATES}
    return {"x": sequence()[:, :1], **states}


if __name__ == "__main__":
    write(Path(sys.argv[1]))
