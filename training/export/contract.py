"""A SavedModel's signatures as names, dtypes and shapes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

Tensor = tuple[np.dtype[Any], tuple[int, ...], str]


@dataclass(frozen=True)
class SignatureTensors:
    """Inputs and outputs of one signature, each (dtype, shape with -1 where free, alias)."""

    inputs: list[Tensor]
    outputs: list[Tensor]


def signature_tensors(folder: Path, signature: str = "serving_default") -> SignatureTensors:
    """What the signature takes and gives, read from the SavedModel's own description."""
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    call = dict(saved.meta_graphs[0].signature_def)[signature]  # the map itself would make what it lacks
    inputs = [_described(name, info) for name, info in sorted(call.inputs.items())]
    outputs = [_described(name, info) for name, info in sorted(call.outputs.items())]
    return SignatureTensors(inputs, outputs)


def _described(name: str, info: Any) -> Tensor:
    of_tensor = tf.as_dtype(info.dtype)
    dtype = np.dtype(object) if of_tensor == tf.string else np.dtype(of_tensor.as_numpy_dtype)
    return dtype, tuple(size.size for size in info.tensor_shape.dim), name
