"""Whether a signature may be compiled, and its compiled form for one set of shapes.

Compiled means XLA, outside the SavedModel, which stays stock. XLA drops what raises errors (assertions, bounds of
look-ups), so a signature with such operations is not compiled: its callers would get numbers in place of errors."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import op_def_registry  # the runtime's own list of operations

STATE_THAT_IS_ONLY_READ = frozenset(
    (
        "VarHandleOp",
        "ReadVariableOp",
        "Placeholder",
        "PartitionedCall",
        "StatefulPartitionedCall",
        "While",
        "If",
        "Case",
    )
)
NOT_COMPILED = re.compile(
    r"Assert|CheckNumerics|.*Gather.*|.*Scatter.*|.*Lookup.*|.*String.*|.*Random.*|Print.*|.*PyFunc.*|Where|Unique.*"
)
NOT_COMPILED_DTYPES = {types_pb2.DT_STRING: "strings"}


def why_not(function: Any) -> list[str]:
    """Reasons why a signature's concrete function is not compiled; empty when it can be."""
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for found in graph.library.function for node in found.node_def)]
    reasons = set()
    for node in nodes:
        if NOT_COMPILED.fullmatch(node.op):
            reasons.add(f"it has {node.op}")
        elif node.op not in STATE_THAT_IS_ONLY_READ and _is_stateful(node.op):
            reasons.add(f"it has {node.op}, which keeps state")
        reasons.update(f"it has {NOT_COMPILED_DTYPES[kind]}" for kind in _dtypes(node) if kind in NOT_COMPILED_DTYPES)
    return sorted(reasons)


def _is_stateful(op: str) -> bool:
    definition = op_def_registry.get(op)
    return definition is None or bool(definition.is_stateful)


def _dtypes(node: Any) -> list[int]:
    return [value.type for name, value in node.attr.items() if value.type and name != "_output_shapes"]


class CompiledForm:
    """One signature for inputs of these shapes and dtypes."""

    def __init__(self, function: Any, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> None:
        """function: the signature's concrete function; inputs: by alias, as an example; outputs: aliases.

        Compiles and runs once; raises what TensorFlow raises when it cannot."""
        aliases = list(inputs)

        def call(*tensors: Any) -> list[Any]:
            found = function(**dict(zip(aliases, tensors, strict=True)))
            return [found[alias] for alias in outputs]

        specs = [tf.TensorSpec(array.shape, array.dtype) for array in inputs.values()]
        self._concrete = tf.function(call, jit_compile=True, autograph=False).get_concrete_function(*specs)
        self(list(inputs.values()))

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs; arrays in the order of the example."""
        return [value.numpy() for value in self._concrete(*map(tf.constant, arrays))]
