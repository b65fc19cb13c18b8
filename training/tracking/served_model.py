"""How MLflow calls an exported SavedModel; a copy of this file goes with each logged model.

It uses nothing of this project, so that the model loads wherever TensorFlow and MLflow are.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf


class ServedModel:
    """Calls `serving_default` with arrays by input, and returns arrays by output."""

    def __init__(self, folder: str) -> None:
        self.saved_model = tf.saved_model.load(folder)

    def predict(self, model_input: Mapping[str, Any], params: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:
        """The outputs by name; the inputs are those of the logged signature."""
        call = self.saved_model.signatures["serving_default"]
        dtypes = {name: spec.dtype for name, spec in call.structured_input_signature[1].items()}
        outputs = call(**{name: tf.constant(model_input[name], dtype) for name, dtype in dtypes.items()})
        return {name: value.numpy() for name, value in outputs.items()}


def _load_pyfunc(path: str) -> ServedModel:
    """MLflow's entry point; path is the SavedModel's folder."""
    return ServedModel(path)
