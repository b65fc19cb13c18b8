"""A SignatureDef as calls use it: which tensor each alias stands for.

In TensorFlow: protobuf/meta_graph.proto."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serving import tensor_proto
from serving.dtypes import name_of


@dataclass(frozen=True)
class Slot:
    """One input or output: its alias, the tensor's name in the graph, and the dtype (number of the enum)."""

    alias: str
    tensor: str
    dtype: int
    shape: tuple[int, ...] | None = None  # as declared, -1 where a size is free; None: not even the rank is known

    @property
    def dtype_name(self) -> str:
        """The dtype's name in messages."""
        return name_of(self.dtype)


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs by alias, in the order of their names."""

    name: str
    method_name: str
    inputs: Mapping[str, Slot]
    outputs: Mapping[str, Slot]
    defaults: Mapping[str, np.ndarray] = field(default_factory=dict)
    proto: Any = None  # the SignatureDef as it stands in the file
    may_omit: frozenset[str] = frozenset()  # aliases of inputs that the servable fills in when a request has none


def from_proto(name: str, proto: Any) -> Signature:
    """The Signature of one entry of MetaGraphDef.signature_def."""
    return Signature(
        name,
        proto.method_name,
        _slots(proto.inputs),
        _slots(proto.outputs),
        {alias: tensor_proto.decode(value) for alias, value in sorted(proto.defaults.items())},
        proto,
    )


def _slots(tensors: Mapping[str, Any]) -> dict[str, Slot]:
    return {alias: Slot(alias, info.name, info.dtype, _shape(info)) for alias, info in sorted(tensors.items())}


def _shape(info: Any) -> tuple[int, ...] | None:
    if info.tensor_shape.unknown_rank:
        return None
    return tuple(dimension.size for dimension in info.tensor_shape.dim)
