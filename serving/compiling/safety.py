"""Which operations may be compiled without an error being lost.

XLA raises none by value: it clamps an index that lies outside, and drops assertions. So what is compiled is arithmetic,
and what reads, cuts or loops only where and as often as shapes say. Everything else stays as it is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorflow.core.framework import types_pb2

from serving.compiling.inlining import CALLS, node_of

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
GATHERS = frozenset(("GatherV2", "Gather", "ResourceGather", "GatherNd"))
_OF_SHAPES = "OnesLike Rank Shape ShapeN Size TensorListElementShape TensorListLength ZerosLike"
OF_SHAPES = frozenset(_OF_SHAPES.split())  # what they give hangs on shapes alone
_SHAPES_FROM_SHAPES = "LookupTableFindV2 StaticRegexReplace StringLower StringStrip StringUpper StringLength Substr"
SHAPES_FROM_SHAPES = frozenset(_SHAPES_FROM_SHAPES.split()) | GATHERS  # though not arithmetic, or not safe
FLOATS = frozenset(
    getattr(types_pb2, f"DT_{name}") for name in ("FLOAT", "DOUBLE", "HALF", "BFLOAT16", "COMPLEX64", "COMPLEX128")
)
LOOPS = frozenset(("While", "StatelessWhile"))
BRANCHES = {"If": ("then_branch", "else_branch"), "StatelessIf": ("then_branch", "else_branch")}
CASES = frozenset(("Case", "StatelessCase"))
CPU = "CPU"


@dataclass(frozen=True)
class Value:
    """What is known of a tensor before it is there."""

    varies: bool = False  # with the values that are fed
    sized: bool = False  # its shape, or a number taken from shapes, hangs on the values that are fed
    devices: tuple[str, ...] | None = None  # of a DeviceIndex

    def joined(self, other: "Value") -> "Value":
        """What is known of a tensor that is one or the other."""
        devices = self.devices if self.devices == other.devices else None
        return Value(self.varies or other.varies, self.sized or other.sized, devices)


class Safety:
    """Goes through nodes in the order in which they run."""

    def __init__(self, library: Mapping[str, Any]) -> None:
        """library: the functions of the graph, by name."""
        self._library = library

    def outcome(self, node: Any, operands: Sequence[Value]) -> tuple[list[Value], set[str]]:
        """What is known of a node's outputs, one for each or one for all; and why it may not be compiled."""
        reasons: set[str] = set()
        return self._outputs(node, operands, reasons), reasons

    def _outputs(self, node: Any, operands: Sequence[Value], reasons: set[str]) -> list[Value]:
        op, attr = node.op, node.attr
        if types_pb2.DT_STRING in _dtypes(node):
            reasons.add("it has strings")
        if op in CALLS:
            return self._call(attr["f"].func.name, operands, reasons)
        if op in LOOPS:
            return self._loop(attr["cond"].func.name, attr["body"].func.name, operands, reasons)
        if op in BRANCHES:
            return self._either([attr[name].func.name for name in BRANCHES[op]], operands, reasons)
        if op in CASES:
            branches = _reached([f.name for f in attr["branches"].list.func], operands[0].devices)
            return self._either(branches, operands, reasons)
        varies, sized = any(one.varies for one in operands), any(one.sized for one in operands)
        if op == "DeviceIndex":
            return [Value(devices=tuple(name.decode() for name in attr["device_names"].list.s))]
        if op in OF_SHAPES:
            return [Value(sized=sized)]
        if op in GATHERS:
            if any(one.varies for one in operands[1:]):
                reasons.add(f"its {op} depends on the data")
        elif op == "Cast":
            if varies and attr["SrcT"].type in FLOATS and attr["DstT"].type not in FLOATS:
                reasons.add("it has Cast of numbers to whole ones")
        elif op in STEERED:
            steering = [operands[index] for index in STEERED[op] if index < len(operands)]
            if any(one.varies for one in steering) and not (op in DIVISIONS and attr["T"].type in FLOATS):
                reasons.add(f"its {op} depends on the data")
                sized = True
        elif op not in ARITHMETIC:
            reasons.add(f"it has {op}")
            sized = sized or op not in SHAPES_FROM_SHAPES
        return [Value(varies, sized)]

    def _call(self, name: str, arguments: Sequence[Value], reasons: set[str]) -> list[Value]:
        """The results of a function, all of whose nodes are gone through."""
        function = self._library.get(name)
        if function is None:
            reasons.add(f"it calls {name}, which the graph does not have")
            return [Value(varies=True, sized=True)]
        names = [argument.name for argument in function.signature.input_arg]
        values: dict[str, list[Value]] = {one: [value] for one, value in zip(names, arguments, strict=True)}
        nodes = {node.name: node for node in function.node_def}
        for node in in_order(nodes):
            operands = [_value(one, values) for one in node.input if not one.startswith("^")]
            values[node.name] = self._outputs(node, operands, reasons)
        return [_value(function.ret[result.name], values) for result in function.signature.output_arg]

    def _loop(self, condition: str, body: str, operands: Sequence[Value], reasons: set[str]) -> list[Value]:
        """The variables of a loop: what is true of them before it and after each turn."""
        variables = list(operands)
        while True:
            after = [a.joined(b) for a, b in zip(variables, self._call(body, variables, reasons), strict=True)]
            if after == variables:
                break
            variables = after
        if any(value.varies for value in self._call(condition, variables, reasons)):
            reasons.add("the number of turns of a loop depends on the data")
            return [Value(varies=True, sized=True) for _ in variables]
        return variables

    def _either(self, branches: Sequence[str], operands: Sequence[Value], reasons: set[str]) -> list[Value]:
        results = [self._call(name, operands[1:], reasons) for name in branches]
        joined = results[0]
        for result in results[1:]:
            joined = [a.joined(b) for a, b in zip(joined, result, strict=True)]
        return [Value(varies=True, sized=True) for _ in joined] if operands[0].varies else joined


def in_order(nodes: Mapping[str, Any]) -> list[Any]:
    """The nodes, each after those that it reads or waits for; what is not among them is not waited for."""
    done: dict[str, Any] = {}
    waiting = list(nodes)[::-1]
    while waiting:
        name = waiting[-1]
        missing = [one for one in map(node_of, nodes[name].input) if one in nodes and one not in done]
        if name in done or not missing:
            done[waiting.pop()] = nodes[name]
        else:
            waiting += missing
    return list(done.values())


def _reached(branches: list[str], devices: tuple[str, ...] | None) -> list[str]:
    """The branches that can be taken. Of a choice by device: those for the CPU, and the last one, which is what XLA
    takes, whose device is none of them."""
    if devices is None:
        return branches
    return [branch for branch, device in zip(branches, devices, strict=False) if device == CPU] + branches[-1:]


def _dtypes(node: Any) -> Iterable[int]:
    for name, value in node.attr.items():
        if name != "_output_shapes":
            yield value.type
            yield from value.list.type


def _value(tensor: str, values: Mapping[str, list[Value]]) -> Value:
    """Of `node`, `node:index`, or `node:output:index` as functions write it."""
    name, *rest = tensor.split(":")
    found = values[name]
    return found[int(rest[-1])] if rest and len(found) > 1 else found[0]
