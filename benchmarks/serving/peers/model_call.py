"""The model's calls inside a rival: the plain signatures, or our compiled form, so that only the server differs.

Needs TensorFlow and numpy alone. The environment says which: MODEL_FOLDER, MODEL_CALL=plain or compiled."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

LARGEST = 32
FOLDER, KIND = os.environ["MODEL_FOLDER"], os.environ["MODEL_CALL"]
Arrays = dict[str, np.ndarray]
Call = Callable[[np.ndarray], np.ndarray]


def load() -> Call:
    """x [batch, 64, 16] float32 to probabilities [batch, 5]."""
    call = _call("serving_default")
    for size in range(LARGEST.bit_length()) if KIND == "compiled" else (0,):
        call({"x": np.zeros((1 << size, 64, 16), np.float32)})
    return lambda x: call({"x": x})["probabilities"]


def step(inputs: Arrays) -> Arrays:
    """One time step: x [batch, 1, 16] and the states by alias to probabilities and states. Made when first asked."""
    return _call("step")(inputs)


def stacked(rows: list[Arrays]) -> Arrays:
    """Requests to a batch."""
    return {alias: np.stack([row[alias] for row in rows]) for alias in rows[0]}


def parted(batch: Arrays) -> list[Arrays]:
    """A batch to its rows."""
    return [{alias: array[row] for alias, array in batch.items()} for row in range(len(batch["probabilities"]))]


@cache
def _call(name: str) -> Callable[[Arrays], Arrays]:
    """A signature: arrays by alias to arrays by alias."""
    return _compiled(name) if KIND == "compiled" else _plain(name)


@cache
def _loaded() -> Any:
    """The model; its variables live as long as it does."""
    if KIND == "compiled":
        from serving import servable

        return servable.load("classifier", 1, FOLDER)
    return tf.saved_model.load(FOLDER)


def _plain(name: str) -> Callable[[Arrays], Arrays]:
    """The signature as it is loaded."""
    signature = _loaded().signatures[name]

    def call(inputs: Arrays) -> Arrays:
        found = signature(**{alias: tf.constant(array) for alias, array in inputs.items()})
        return {alias: value.numpy() for alias, value in found.items()}

    return call


def _compiled(name: str) -> Callable[[Arrays], Arrays]:
    """Our compiled form for each power of two; a batch is padded to the next of them."""
    loaded = _loaded()
    signature = loaded.signatures[name]
    aliases, outputs = list(signature.inputs), list(signature.outputs)
    feeds = {alias: signature.inputs[alias].tensor for alias in aliases}
    fetches = loaded.compiled([*feeds.values()], [signature.outputs[alias].tensor for alias in outputs])

    def call(inputs: Arrays) -> Arrays:
        rows = len(inputs[aliases[0]])
        size = 1 << (rows - 1).bit_length()
        if size != rows:
            inputs = {a: np.concatenate([x, np.zeros((size - rows, *x.shape[1:]), x.dtype)]) for a, x in inputs.items()}
        found = loaded.run({feeds[alias]: inputs[alias] for alias in aliases}, fetches)
        return {alias: array[:rows] for alias, array in zip(outputs, found, strict=True)}

    return call
