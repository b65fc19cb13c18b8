"""How MLflow calls an exported SavedModel; a copy of this file goes with each logged model.

It uses nothing of this project, so that the model loads wherever TensorFlow and MLflow are.
"""

from typing import Any

import mlflow
import tensorflow as tf


class ServedModel(mlflow.pyfunc.PythonModel):
    """Calls `serving_default` with a dict of arrays, one for each input, and returns the dict of outputs."""

    def load_context(self, context: Any) -> None:
        """Loads the SavedModel that lies beside this file."""
        self.saved_model = tf.saved_model.load(context.artifacts["saved_model"])

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        """Outputs by name, as arrays. MLflow would take types of the arguments for the model's own signature."""
        call = self.saved_model.signatures["serving_default"]
        dtypes = {name: spec.dtype for name, spec in call.structured_input_signature[1].items()}
        outputs = call(**{name: tf.constant(model_input[name], dtype) for name, dtype in dtypes.items()})
        return {name: value.numpy() for name, value in outputs.items()}


mlflow.models.set_model(ServedModel())
