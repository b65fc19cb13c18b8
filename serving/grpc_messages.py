"""ModelSpec and results as messages.

In TensorFlow Serving: apis/model.proto, apis/classification.proto."""

from typing import Any

import numpy as np

from serving.calls import ModelSpec
from serving.calls.classify import Classified
from serving.errors import InvalidArgumentError


def model_spec(request: Any) -> ModelSpec:
    """The request's ModelSpec; raises INVALID_ARGUMENT when it has none."""
    if not request.HasField("model_spec"):
        raise InvalidArgumentError("Missing ModelSpec")
    return spec_of(request.model_spec)


def spec_of(proto: Any) -> ModelSpec:
    """The ModelSpec that the message stands for."""
    choice = proto.WhichOneof("version_choice")
    return ModelSpec(
        proto.name,
        proto.version.value if choice == "version" else None,
        proto.version_label if choice == "version_label" else None,
        proto.signature_name,
    )


def fill_model_spec(proto: Any, spec: ModelSpec, version: int) -> None:
    """The effective ModelSpec of a response: the version that ran, never a label."""
    proto.name = spec.name
    proto.version.value = version
    proto.signature_name = spec.signature


def fill_classified(proto: Any, result: Classified) -> None:
    """A ClassificationResult; no labels are empty labels, no scores are zeros."""
    proto.SetInParent()
    labels = None if result.labels is None else result.labels.tolist()
    scores = None if result.scores is None else result.scores.tolist()
    examples, classes = result.shape
    for row in range(examples):
        entry = proto.classifications.add()
        for column in range(classes):
            entry.classes.add(
                label="" if labels is None else labels[row][column].decode("utf-8", "replace"),
                score=0 if scores is None else scores[row][column],
            )


def fill_regressed(proto: Any, result: np.ndarray) -> None:
    """A RegressionResult."""
    proto.SetInParent()
    for value in result.tolist():
        proto.regressions.add(value=value)
