"""The model's call inside a rival: the plain signature, or our compiled form, so that only the server differs.

Needs TensorFlow and numpy alone. The environment says which: MODEL_FOLDER, MODEL_CALL=plain or compiled."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

LARGEST = 32
HELD: list[Any] = []
FOLDER, KIND = os.environ["MODEL_FOLDER"], os.environ["MODEL_CALL"]
Call = Callable[[np.ndarray], np.ndarray]


def load() -> Call:
    """x [batch, 64, 16] float32 to probabilities [batch, 5]."""
    return compiled() if KIND == "compiled" else plain()


def plain() -> Call:
    """The signature as it is loaded."""
    loaded = tf.saved_model.load(FOLDER)
    HELD.append(loaded)  # its variables live as long as it does
    signature = loaded.signatures["serving_default"]

    def call(x: np.ndarray) -> np.ndarray:
        found: np.ndarray = signature(x=tf.constant(x))["probabilities"].numpy()
        return found

    call(np.zeros((1, 64, 16), np.float32))
    return call


def compiled() -> Call:
    """Our compiled form for each power of two; a batch is padded to the next of them."""
    from serving import servable

    loaded = servable.load("classifier", 1, FOLDER)
    HELD.append(loaded)
    signature = loaded.signatures["serving_default"]
    given = signature.inputs["x"].tensor
    fetches = loaded.compiled([given], [signature.outputs["probabilities"].tensor])

    def call(x: np.ndarray) -> np.ndarray:
        rows = len(x)
        size = 1 << (rows - 1).bit_length()
        if size != rows:
            x = np.concatenate([x, np.zeros((size - rows, *x.shape[1:]), np.float32)])
        return loaded.run({given: x}, fetches)[0][:rows]

    for power in range(LARGEST.bit_length()):
        call(np.zeros((1 << power, 64, 16), np.float32))
    return call
