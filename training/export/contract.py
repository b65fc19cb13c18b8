"""A SavedModel's signatures as names, dtypes and shapes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

Tensor = tuple[np.dtype[Any], tuple[int, ...], str]


@dataclass(frozen=True)
class SignatureTensors:
    """Inputs and outputs of one signature, each (dtype, shape with -1 where free, alias)."""

    inputs: list[Tensor]
    outputs: list[Tensor]


def signature_tensors(folder: Path, signature: str = "serving_default") -> SignatureTensors:
    """What the signature takes and gives, read from the SavedModel's own description."""
    call = tf.saved_model.load(str(folder)).signatures[signature]
    inputs = [_described(name, spec) for name, spec in sorted(call.structured_input_signature[1].items())]
    outputs = [_described(name, spec) for name, spec in sorted(call.structured_outputs.items())]
    return SignatureTensors(inputs, outputs)


def _described(name: str, spec: tf.TensorSpec) -> Tensor:
    dtype = np.dtype(object) if spec.dtype == tf.string else np.dtype(spec.dtype.as_numpy_dtype)
    return dtype, tuple(-1 if size is None else size for size in spec.shape), name
