"""Writes a network as a SavedModel that runs on a stock TensorFlow Serving.

    <folder>/saved_model.pb, variables/, assets.extra/{tf_serving_warmup_requests, model_card.md, lineage.json}

Only variables, look-up tables and signatures go in: no Keras object, so that it loads where Keras is absent.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

Arrays = Mapping[str, np.ndarray]


class _Exported(tf.Module):
    """The variables and the look-up tables that the signatures use."""

    def __init__(self, variables: list[tf.Variable], tables: list[Any]) -> None:
        super().__init__()
        self.variables_of_network = variables
        self.tables_of_network = tables


def write(
    folder: Path,
    model: Any,
    signatures: Mapping[str, Any],
    warmup: Mapping[str, Arrays],
    card: str,
    lineage: Mapping[str, Any],
) -> None:
    """Writes the SavedModel of a Keras model and its signatures (tf.functions of named tensors) into a new folder.

    Of `model.tables`, where it has them, the look-up tables go along. warmup: one request for each signature, as arrays
    by input alias. The way back through a recurrence stays behind: what is loaded answers, but cannot be
    differentiated. Raises OSError or a TensorFlow error when the disk refuses; the folder is then incomplete and must
    not be published."""
    exported = _Exported([v.value for v in model.variables], list(getattr(model, "tables", ())))
    no_way_back = tf.saved_model.SaveOptions(experimental_custom_gradients=False)  # most of the file and of the time
    tf.saved_model.save(exported, str(folder), signatures=dict(signatures), options=no_way_back)
    extra = folder / "assets.extra"
    extra.mkdir()
    write_warmup(extra / "tf_serving_warmup_requests", model.name, warmup)
    (extra / "model_card.md").write_text(card, encoding="utf-8")
    (extra / "lineage.json").write_text(json.dumps(lineage, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_warmup(path: Path, model: str, requests: Mapping[str, Arrays]) -> None:
    """A TFRecord of PredictionLog, one Predict request for each signature, as TensorFlow Serving reads it."""
    with tf.io.TFRecordWriter(str(path)) as records:
        for signature, inputs in requests.items():
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name=model, signature_name=signature),
                inputs={name: tf.make_tensor_proto(array) for name, array in inputs.items()},
            )
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            records.write(log.SerializeToString())
