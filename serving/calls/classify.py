"""Classify: which signatures can, and what their outputs mean.

In TensorFlow Serving: servables/tensorflow/classifier.cc."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from google.protobuf import text_format

from serving.calls.examples import INPUTS, printed
from serving.dtypes import of_array
from serving.errors import InvalidArgumentError
from serving.signature import Signature

METHOD = "tensorflow/serving/classify"
CLASSES, SCORES = "classes", "scores"


@dataclass(frozen=True)
class Classified:
    """Labels (bytes) and scores (float32) of each example, both [n, k]; None where the signature has no such output."""

    labels: np.ndarray | None
    scores: np.ndarray | None

    @property
    def shape(self) -> tuple[int, int]:
        """(n, k)."""
        found = self.labels if self.labels is not None else self.scores
        assert found is not None
        return found.shape[0], found.shape[1]


def outputs(signature: Signature, check_method_name: bool) -> list[str]:
    """The aliases to fetch; raises INVALID_ARGUMENT when the signature does not classify."""
    if check_method_name and signature.method_name != METHOD:
        raise InvalidArgumentError(
            f"Expected classification signature method_name to be {METHOD}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise InvalidArgumentError("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise InvalidArgumentError(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if INPUTS not in signature.inputs:
        raise InvalidArgumentError(f"No classification inputs found in SignatureDef: {text_of(signature)}")
    found = [alias for alias in (CLASSES, SCORES) if alias in signature.outputs]
    if not found:
        raise InvalidArgumentError(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {text_of(signature)}"
        )
    return found


def result(values: Mapping[str, np.ndarray], examples: int) -> Classified:
    """What a run gave, checked against the number of examples; raises INVALID_ARGUMENT when it does not fit."""
    labels, scores = values.get(CLASSES), values.get(SCORES)
    for alias, array, dtype in ((CLASSES, labels, "DT_STRING"), (SCORES, scores, "DT_FLOAT")):
        if array is not None:
            _check(alias, array, dtype, examples)
    if labels is not None and scores is not None and labels.shape[1] != scores.shape[1]:
        raise InvalidArgumentError(
            f"Tensors class and score should match in dim_size(1). Got {labels.shape[1]} vs. {scores.shape[1]}"
        )
    return Classified(labels, scores)


def _check(alias: str, array: np.ndarray, dtype: str, examples: int) -> None:
    if array.ndim != 2:
        raise InvalidArgumentError(f"Expected Tensor shape: [batch_size num_classes] but got {printed(array.shape)}")
    given = of_array(array).enum
    if given != dtype:
        raise InvalidArgumentError(f"Expected {alias} Tensor of {dtype}. Got: {given}")
    if array.shape[0] != examples:
        raise InvalidArgumentError(f"Expected {alias} output batch size of {examples}. Got: {array.shape[0]}")


def text_of(signature: Signature) -> str:
    """The SignatureDef as text proto, as messages have it."""
    return str(text_format.MessageToString(signature.proto))
