"""The body of a REST Classify or Regress to Examples, and their results to JSON.

In TensorFlow Serving: util/json_tensor.cc, FillClassificationRequestFromJson."""

from typing import Any

import numpy as np
from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow_serving.apis import input_pb2

from serving.calls.classify import Classified
from serving.errors import InvalidArgumentError
from serving.rest_json import numbers
from serving.rest_json.predict_request import Document
from serving.rest_json.printing import INDENT, quoted, text_of, type_name
from serving.rest_json.values import decode_base64, is_base64

KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def input_of(document: Document) -> Any:
    """The tensorflow.serving.Input of the body; raises INVALID_ARGUMENT when it is none."""
    members = document.members
    found = input_pb2.Input()
    examples = found.example_list
    if "context" in members:
        examples = found.example_list_with_context
        examples.context.CopyFrom(_example(members["context"]))
    if "examples" not in members:
        raise InvalidArgumentError(
            f"JSON Value: {text_of(members)} When method is classify, key 'examples' is expected and was not found"
        )
    given = members["examples"]
    if not isinstance(given, list):
        raise InvalidArgumentError(f"JSON Value: {text_of(members)} Expecting 'examples' value to be an list/array")
    if not given:
        raise InvalidArgumentError(f"JSON Value: {text_of(members)} 'examples' value is an empty array")
    examples.examples.extend(_example(value) for value in given)
    return found


def _example(value: Any) -> Any:
    if not isinstance(value, dict):
        raise InvalidArgumentError(f"Example must be JSON object but got JSON {type_name(value)}")
    example = example_pb2.Example()
    for name, content in [*value.items(), *getattr(value, "repeated", ())]:  # of a repeated name the last counts
        feature = feature_pb2.Feature()
        for item in content if isinstance(content, list) else [content]:
            _add(feature, name, item)
        if _is_text(name):
            example.features.feature[name].CopyFrom(feature)
    return example


def _is_text(name: str) -> bool:
    """Whether a feature may have this name. One that is not UTF-8, which no protobuf message holds in Python, is what
    a feature is that the model does not ask for: passed over."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _add(feature: Any, name: str, value: Any) -> None:
    """One value of a feature; all of them are of the first one's kind."""
    kind = _kind(value)
    if kind is None:
        raise InvalidArgumentError(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")
    earlier = feature.WhichOneof("kind")
    if earlier not in (None, kind):
        raise InvalidArgumentError(f"Unexpected element type in feature: {name} expecting type: {KINDS[earlier]}")
    if kind == "int64_list" and value >= 1 << 63:
        raise InvalidArgumentError(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
    if isinstance(value, dict):
        value = decode_base64(value)
    elif isinstance(value, bool):
        value = int(value)
    elif isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    getattr(feature, kind).value.append(value)


def _kind(value: Any) -> str | None:
    """The list that the value belongs into; None for one that belongs into none."""
    if isinstance(value, str) or is_base64(value):
        return "bytes_list"
    if isinstance(value, float):
        return "float_list"
    return "int64_list" if isinstance(value, int) else None


def classified(result: Classified) -> bytes:
    """`{"results": [[["<label>", <score>], ...], ...]}`; raises INVALID_ARGUMENT when there are none."""
    examples, classes = result.shape
    if not examples:
        raise InvalidArgumentError("Cannot convert empty ClassificationResults to JSON")
    scores = result.scores if result.scores is not None else np.zeros(result.shape, np.float32)
    labels = [""] * scores.size
    if result.labels is not None:
        labels = [label.decode("utf-8", "surrogateescape") for label in result.labels.reshape(-1)]
    pairs = [f"[{quoted(label)}, {score}]" for label, score in zip(labels, numbers.texts(scores), strict=True)]
    rows = [f"[{', '.join(pairs[row * classes : (row + 1) * classes])}]" for row in range(examples)]
    return f'{{\n{INDENT}"results": [{", ".join(rows)}\n{INDENT}]\n}}'.encode("utf-8", "surrogateescape")


def regressed(result: np.ndarray) -> bytes:
    """`{"results": [<number>, ...]}`; raises INVALID_ARGUMENT when there are none."""
    if not len(result):
        raise InvalidArgumentError("Cannot convert empty RegressionResults to JSON")
    return f'{{\n{INDENT}"results": [{", ".join(numbers.texts(result))}]\n}}'.encode()
