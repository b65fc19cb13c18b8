"""Whether the values that a call feeds can make its graph fail, or run longer: if not, it may be compiled.

XLA drops what raises errors by value (assertions, bounds of look-ups and of slices) and cannot end a run. So a graph
is compiled only when, for one set of shapes, nothing but arithmetic hangs on the values: each operation is on the list
below, the operands that say where to read, how much to make or how often to repeat come from constants, shapes and
loop counters alone, and a loop's condition does too. Then the plain run of one request shows that every request of
its shapes runs.

An embedding's rows are the exception, they are read where the request says: the caller has to check that all elements
of that input are within the bound (`Bound`). What is not on the list is taken to be unsafe."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

_ARITHMETIC = """
    Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atan2 Atanh AvgPool BatchMatMul BatchMatMulV2 BatchMatMulV3 BiasAdd
    Ceil ClipByValue Complex ComplexAbs Conj Const Conv2D Cos Cosh DepthwiseConv2dNative DeviceIndex DivNoNan Einsum
    Elu EnsureShape Equal Erf Erfc Exp Expm1 Floor FusedBatchNormV3 Greater GreaterEqual Identity IdentityN Imag
    IsFinite IsInf IsNan L2Loss LeakyRelu Less LessEqual Lgamma Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr
    MatMul MaxPool Maximum Minimum Mul MulNoNan Neg NoOp NotEqual OnesLike Pack Placeholder PreventGradient Rank
    ReadVariableOp Real RealDiv Reciprocal Relu Relu6 Rint Round Rsqrt Select SelectV2 Selu Shape ShapeN Sigmoid Sign
    Sin Sinh Size Snapshot Softmax Softplus Softsign Sqrt Square SquaredDifference Squeeze StopGradient Sub Tan Tanh
    TensorListElementShape TensorListFromTensor TensorListLength TensorListPopBack TensorListPushBack Unpack
    VarHandleOp Xdivy Xlogy ZerosLike
"""
ARITHMETIC = frozenset(_ARITHMETIC.split())
_REDUCTIONS = "All Any ArgMax ArgMin Cumprod Cumsum EuclideanNorm Max Mean Min Prod Sum"
_SHAPED = "BroadcastTo ExpandDims MirrorPad OneHot Pad PadV2 Reshape ReverseV2 Tile TopKV2 Transpose"
_DIVISIONS = "Div FloorDiv FloorMod Mod Pow TruncateDiv TruncateMod"  # whole ones fail by 0, or with a power below it
DIVISIONS = frozenset(_DIVISIONS.split())
STEERED: dict[str, tuple[int, ...]] = {  # operands that say where, how much or how often: they must not vary
    **dict.fromkeys(f"{_REDUCTIONS} {_SHAPED} {_DIVISIONS}".split(), (1,)),
    "ConcatV2": (-1,),
    "EmptyTensorList": (0, 1),
    "Fill": (0,),
    "LinSpace": (0, 1, 2),
    "MatrixBandPart": (1, 2),
    "Range": (0, 1, 2),
    "Roll": (1, 2),
    "Slice": (1, 2),
    "Split": (0,),
    "SplitV": (1, 2),
    "StridedSlice": (1, 2, 3),
    "TensorListGather": (1, 2),
    "TensorListGetItem": (1, 2),
    "TensorListReserve": (0, 1),
    "TensorListResize": (1,),
    "TensorListSetItem": (1,),
    "TensorListStack": (1,),
}
GATHERS = frozenset(("GatherV2", "Gather", "ResourceGather"))
_OF_SHAPES = "OnesLike Rank Shape ShapeN Size TensorListElementShape TensorListLength ZerosLike"
OF_SHAPES = frozenset(_OF_SHAPES.split())  # what they give hangs on shapes alone
_SAME_ELEMENTS = "EnsureShape ExpandDims Identity Reshape Slice Snapshot Squeeze StopGradient StridedSlice Transpose"
SAME_ELEMENTS = frozenset(_SAME_ELEMENTS.split())
FLOATS = frozenset(
    getattr(types_pb2, f"DT_{name}") for name in ("FLOAT", "DOUBLE", "HALF", "BFLOAT16", "COMPLEX64", "COMPLEX128")
)
WHOLE = frozenset(getattr(types_pb2, f"DT_{name}") for name in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16"))
WIDE = frozenset((types_pb2.DT_INT32, types_pb2.DT_INT64))
CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
LOOPS = frozenset(("While", "StatelessWhile"))
BRANCHES = {"If": ("then_branch", "else_branch"), "StatelessIf": ("then_branch", "else_branch")}
CASES = frozenset(("Case", "StatelessCase"))
CPU = "CPU"


@dataclass(frozen=True)
class Value:
    """What is known of a tensor before it is there."""

    varies: bool = False  # with the values that are fed
    elements_of: str | None = None  # the fed tensor whose elements these are
    below_zero: str | None = None  # it says which elements of that fed tensor are below 0
    shape: tuple[int, ...] | None = None  # of a variable or constant
    number: int | None = None  # of a scalar constant
    devices: tuple[str, ...] | None = None  # of a DeviceIndex

    def joined(self, other: "Value") -> "Value":
        """What is known of a tensor that is one or the other."""
        if self == other:
            return self
        return Value(
            self.varies or other.varies,
            self.elements_of if self.elements_of == other.elements_of else None,
            self.below_zero if self.below_zero == other.below_zero else None,
            self.shape if self.shape == other.shape else None,
            self.number if self.number == other.number else None,
            self.devices if self.devices == other.devices else None,
        )


@dataclass(frozen=True)
class Bound:
    """All elements of a fed tensor have to be at least 0 and less than this."""

    tensor: str
    below: int


@dataclass
class Findings:
    """Why a graph is not safe to compile; empty reasons: it is, as long as the bounds hold."""

    reasons: set[str] = field(default_factory=set)
    bounds: set[Bound] = field(default_factory=set)


def findings(graph_def: Any, feeds: Iterable[str], fetches: Iterable[str]) -> Findings:
    """What a run of a GraphDef with these tensors fed and fetched depends on."""
    walk = _Walk(graph_def)
    if any(node.op == "NextIteration" for node in graph_def.node):
        return Findings({"it has loops of TensorFlow 1"})
    nodes = {node.name: node for node in graph_def.node}
    fed = {tensor: Value(varies=True, elements_of=tensor) for tensor in feeds}
    walk.body(nodes, fed, [_flat(tensor) for tensor in fetches])
    return walk.found


class _Walk:
    """Goes through a graph and the functions that it calls."""

    def __init__(self, graph_def: Any) -> None:
        self._library = {function.signature.name: function for function in graph_def.library.function}
        self.found = Findings()

    def body(
        self, nodes: Mapping[str, Any], known: dict[str, Value], wanted: Sequence[str], whole: bool = False
    ) -> list[Value]:
        """The values of the wanted tensors; known: by tensor; whole: go through every node."""
        values: dict[str, list[Value]] = {}
        starts = [*map(_node, wanted), *(nodes if whole else ())]
        waiting = [name for name in reversed(starts) if name in nodes]
        while waiting:
            name = waiting[-1]
            if name in values:
                waiting.pop()
                continue
            node = nodes[name]
            sources = [one for one in node.input if _flat(one.removeprefix("^")) not in known]
            missing = [_node(one) for one in sources if _node(one) in nodes and _node(one) not in values]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            operands = [_value(one, known, values) for one in node.input if not one.startswith("^")]
            values[name] = self._outputs(node, operands)
        return [_value(tensor, known, values) for tensor in wanted]

    def _call(self, name: str, arguments: Sequence[Value]) -> list[Value]:
        function = self._library.get(name)
        if function is None:
            self.found.reasons.add(f"it calls {name}, which the graph does not have")
            return [Value(varies=True)]
        known = {
            f"{argument.name}:0": value for argument, value in zip(function.signature.input_arg, arguments, strict=True)
        }
        wanted = [function.ret[result.name] for result in function.signature.output_arg]
        return self.body({node.name: node for node in function.node_def}, known, wanted, whole=True)

    def _outputs(self, node: Any, operands: list[Value]) -> list[Value]:
        """The values of a node's outputs: one for each, or one for all."""
        op, attr = node.op, node.attr
        if types_pb2.DT_STRING in _dtypes(node):
            self.found.reasons.add("it has strings")
        if op in CALLS:
            return self._call(attr["f"].func.name, operands)
        if op in LOOPS:
            return self._loop(attr["cond"].func.name, attr["body"].func.name, operands)
        if op in BRANCHES:
            return self._either([attr[name].func.name for name in BRANCHES[op]], operands)
        if op in CASES:
            return self._either(_reached([f.name for f in attr["branches"].list.func], operands[0].devices), operands)
        if op in GATHERS:
            self._gather(node, operands)
        elif op == "Cast":
            if operands[0].varies and attr["SrcT"].type in FLOATS and attr["DstT"].type not in FLOATS:
                self.found.reasons.add("it has Cast of numbers to whole ones")
            same = attr["SrcT"].type in WHOLE and attr["DstT"].type in WIDE
            return [Value(operands[0].varies, elements_of=operands[0].elements_of if same else None)]
        elif op in STEERED:
            if not (op in DIVISIONS and attr["T"].type in FLOATS):
                self._steer(op, [operands[index] for index in STEERED[op] if index < len(operands)])
        elif op not in ARITHMETIC:
            self.found.reasons.add(f"it has {op}")
        return [_result(node, operands)]

    def _steer(self, op: str, operands: Iterable[Value]) -> None:
        if any(operand.varies for operand in operands):
            self.found.reasons.add(f"its {op} depends on the data")

    def _loop(self, condition: str, body: str, operands: list[Value]) -> list[Value]:
        """The variables of a loop: what is true of them before it and after each turn."""
        variables = operands
        while True:
            after = [a.joined(b) for a, b in zip(variables, self._call(body, variables), strict=True)]
            if after == variables:
                break
            variables = after
        if any(value.varies for value in self._call(condition, variables)):
            self.found.reasons.add("the number of turns of a loop depends on the data")
        return variables

    def _either(self, branches: Sequence[str], operands: list[Value]) -> list[Value]:
        results = [self._call(name, operands[1:]) for name in branches]
        joined = results[0]
        for result in results[1:]:
            joined = [a.joined(b) for a, b in zip(joined, result, strict=True)]
        return [Value(varies=True) for _ in joined] if operands[0].varies else joined

    def _gather(self, node: Any, operands: list[Value]) -> None:
        """Rows that are read where the data say: only with a bound that the caller can check."""
        indices = operands[1]
        axis = operands[2] if node.op == "GatherV2" else Value(number=0)
        if not indices.varies and not axis.varies:
            return
        shape = operands[0].shape
        if indices.elements_of is None or not shape or axis.number != 0 or node.attr["batch_dims"].i:
            self.found.reasons.add(f"its {node.op} depends on the data")
            return
        self.found.bounds.add(Bound(indices.elements_of, shape[0]))


def _result(node: Any, operands: Sequence[Value]) -> Value:
    """What an operation leaves known of its operands."""
    op = node.op
    if op == "VarHandleOp":
        return Value(shape=_shape(node.attr["shape"].shape))
    if op == "Const":
        array = node.attr["value"].tensor
        number = int(tf.make_ndarray(array)) if _is_whole_scalar(array) else None
        return Value(shape=_shape(array.tensor_shape), number=number)
    if op == "DeviceIndex":
        return Value(devices=tuple(name.decode() for name in node.attr["device_names"].list.s))
    if op in OF_SHAPES:
        return Value()
    if op in ("ReadVariableOp", "Identity"):
        return operands[0]
    if op in SAME_ELEMENTS:
        return Value(any(one.varies for one in operands), elements_of=operands[0].elements_of)
    varies = any(one.varies for one in operands)
    if op == "Less" and operands[0].elements_of is not None and operands[1].number == 0:
        return Value(varies, below_zero=operands[0].elements_of)
    if op in ("SelectV2", "Select") and operands[0].below_zero is not None:
        # the rule of Keras: negative indices count from the end; within the bound there are none
        same = operands[0].below_zero == operands[2].elements_of
        return Value(varies, elements_of=operands[2].elements_of if same else None)
    return Value(varies)


def _reached(branches: list[str], devices: tuple[str, ...] | None) -> list[str]:
    """The branches that can be taken. Of a choice by device: those for the CPU, and the last one, which is what XLA
    takes, whose device is none of them."""
    if devices is None:
        return branches
    return [branch for branch, device in zip(branches, devices, strict=False) if device == CPU] + branches[-1:]


def _dtypes(node: Any) -> list[int]:
    return [value.type for name, value in node.attr.items() if value.type and name != "_output_shapes"]


def _is_whole_scalar(array: Any) -> bool:
    whole = array.dtype not in (types_pb2.DT_STRING, types_pb2.DT_VARIANT, types_pb2.DT_RESOURCE)
    return whole and not array.tensor_shape.dim and np.issubdtype(tf.make_ndarray(array).dtype, np.integer)


def _shape(proto: Any) -> tuple[int, ...] | None:
    sizes = tuple(dimension.size for dimension in proto.dim)
    return None if proto.unknown_rank or -1 in sizes else sizes


def _node(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _flat(tensor: str) -> str:
    """`node:0`, also for `node`, and for `node:output:0` as functions write it."""
    name, *rest = tensor.split(":")
    return f"{name}:{rest[-1] if rest else 0}"


def _value(tensor: str, known: Mapping[str, Value], values: Mapping[str, list[Value]]) -> Value:
    flat = _flat(tensor)
    if flat in known:
        return known[flat]
    name, index = flat.rsplit(":", 1)
    found = values[name]
    return found[int(index)] if len(found) > 1 else found[0]
