"""Regress: which signatures can, and what their output means.

In TensorFlow Serving: servables/tensorflow/regressor.cc."""

from collections.abc import Mapping

import numpy as np

from serving.calls.classify import text_of
from serving.calls.examples import INPUTS, printed
from serving.dtypes import of_array
from serving.errors import InvalidArgumentError
from serving.signature import Signature

METHOD = "tensorflow/serving/regress"
OUTPUTS = "outputs"


def outputs(signature: Signature, check_method_name: bool) -> list[str]:
    """The alias to fetch; raises INVALID_ARGUMENT when the signature does not regress."""
    if check_method_name and signature.method_name != METHOD:
        raise InvalidArgumentError(
            f"Expected regression signature method_name to be {METHOD}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise InvalidArgumentError("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise InvalidArgumentError("Expected one output Tensor.")
    if INPUTS not in signature.inputs:
        raise InvalidArgumentError(f"No regression inputs found in SignatureDef: {text_of(signature)}")
    if OUTPUTS not in signature.outputs:
        raise InvalidArgumentError(f"No regression outputs found in SignatureDef: {text_of(signature)}")
    return [OUTPUTS]


def result(values: Mapping[str, np.ndarray], examples: int) -> np.ndarray:
    """One float32 for each example, [n]; raises INVALID_ARGUMENT when a run gave something else."""
    array = values[OUTPUTS]
    if array.ndim != 1 and array.shape[1:] != (1,):
        raise InvalidArgumentError(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {printed(array.shape)}"
        )
    if array.shape[0] != examples:
        raise InvalidArgumentError(f"Input batch size did not match output batch size: {examples} vs. {array.shape[0]}")
    given = of_array(array).enum
    if given != "DT_FLOAT":
        raise InvalidArgumentError(f"Expected output Tensor of DT_FLOAT.  Got: {given}")
    return array.reshape(-1)
