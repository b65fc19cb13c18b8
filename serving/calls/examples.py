"""The input of Classify, Regress and MultiInference: serialised tf.train.Examples in one string tensor.

In TensorFlow Serving: servables/tensorflow/util.cc, InputToSerializedExampleTensor."""

from typing import Any

import numpy as np

from serving.dtypes import BYTES
from serving.errors import InvalidArgumentError

INPUTS = "inputs"  # the alias of that tensor


def serialized(proto: Any) -> np.ndarray:
    """The examples of a tensorflow.serving.Input, [n]; a context is put before each, which protobuf reads as a merge.

    Raises INVALID_ARGUMENT when there are none."""
    kind = proto.WhichOneof("kind")
    examples = getattr(proto, kind).examples if kind else ()
    if not examples:
        raise InvalidArgumentError("Input is empty.")
    context = b""
    if kind == "example_list_with_context":
        context = proto.example_list_with_context.context.SerializeToString()
    tensor = np.empty(len(examples), BYTES)
    tensor[:] = [context + example.SerializeToString() for example in examples]
    return tensor


def printed(shape: tuple[int, ...]) -> str:
    """A shape as the runtime prints it: [2,3]."""
    return f"[{','.join(map(str, shape))}]"
