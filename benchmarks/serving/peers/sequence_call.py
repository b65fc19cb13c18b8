"""The signature `step` inside a hand-written server that keeps the states in a dictionary.

Needs TensorFlow and numpy alone. MODEL_FOLDER says where the model is."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Arrays = dict[str, np.ndarray]


class States:
    """The model, and the states of all sequences by id."""

    def __init__(self) -> None:
        self._loaded = tf.saved_model.load(os.environ["MODEL_FOLDER"])
        self._call = self._loaded.signatures["step"]
        specs = self._call.structured_input_signature[1]
        self._data = next(spec for alias, spec in specs.items() if alias in ("x", "tokens"))
        self._shape = [1 if size is None else size for size in self._data.shape[1:]]
        self._with_lengths = "lengths" in specs
        self._zeros = {a: np.zeros(s.shape[1:], np.float32) for a, s in specs.items() if a.startswith("state_")}
        self._output = next(alias for alias in self._call.structured_outputs if not alias.startswith("state_"))
        self._states: dict[str, Arrays] = {}

    def step(self, requests: Sequence[Mapping[str, Any]]) -> list[Any]:
        """One step of each sequence, all in one call: {"id": ..., "x": numbers} to the output as lists."""
        rows = len(requests)
        x = np.array([request["x"] for request in requests], self._data.dtype.as_numpy_dtype)
        before = [self._states.get(request["id"], self._zeros) for request in requests]
        feeds = {alias: tf.constant(np.stack([state[alias] for state in before])) for alias in self._zeros}
        if self._with_lengths:
            feeds["lengths"] = tf.ones([rows], tf.int32)
        feeds[self._data.name] = tf.constant(x.reshape(rows, *self._shape))
        after = {alias: value.numpy() for alias, value in self._call(**feeds).items()}
        for row, request in enumerate(requests):
            self._states[request["id"]] = {alias: after[alias][row] for alias in self._zeros}
        return list(after[self._output].tolist())
