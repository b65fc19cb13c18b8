"""The two models whose steps are measured: the zoo's char-lm, untrained, and a 2 x 64 LSTM.

    python -m benchmarks.serving.sequences.models char-lm FOLDER

Beside `step` there is `alone`: the same network for the same request, from zero states, which neither come nor go."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

NAMES = ("char-lm", "lstm")


def write(name: str, folder: Path) -> None:
    """The SavedModel, as version folder."""
    if name == "lstm":
        _write_lstm(folder)
    else:
        _write_char_lm(folder)


def _write_lstm(folder: Path) -> None:
    from benchmarks.serving.model import FEATURES, STATES, UNITS, Classifier

    model = Classifier()
    x = tf.TensorSpec((None, 1, FEATURES), tf.float32, "x")
    states = {name: tf.TensorSpec((None, UNITS), tf.float32, name) for name in STATES}
    signatures = {
        "step": tf.function(model.step).get_concrete_function(x=x, **states),
        "alone": tf.function(model.probabilities).get_concrete_function(x=x),
    }
    tf.saved_model.save(model, str(folder), signatures=signatures)


def _write_char_lm(folder: Path) -> None:
    import keras

    from models.zoo import entry
    from training.export import saved_model

    keras.utils.set_random_seed(0)
    found = entry("char-lm")
    model: Any = found.network().build()
    model(np.zeros((1, 1), np.int32))
    specs = [tf.TensorSpec([None, None], tf.int32, "tokens"), tf.TensorSpec([None], tf.int32, "lengths")]

    @tf.function(input_signature=specs, autograph=False)
    def alone(tokens: Any, lengths: Any) -> dict[str, Any]:
        logits, _ = model.forward(tokens, lengths)
        return {"logits": logits}

    saved_model.write(folder, model, {**found.signatures(model), "alone": alone}, {}, "", {})


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
