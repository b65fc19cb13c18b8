"""The compiled form of a signature, beside its plain one in the same graph.

Compiled means XLA. The operations between what is fed and what is fetched are imported once more: those regions
(`regions.py`) in which a recurrence runs as one function each, which the runtime compiles for each set of shapes that
it is called with, all others as they are. The variables and tables are the session's own, so weights are held once,
and what was compiled goes with the session. The SavedModel stays stock.

    shapes of a region that follow from those of what is fed:   y = compiled(x)
    others, such as the number of words of a text:              y = compiled(x) if shapes(x) in known else plain(x)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry  # not public; nothing public tells what changes a state

from serving.compiling.inlining import full, inlined, node_of
from serving.compiling.regions import regions
from serving.compiling.safety import LOOPS, Safety, Value, in_order

LOWERED = "_lower_using_switch_merge"  # makes TensorFlow 1's loops of a loop, which XLA does not know
PREFIX = "compiled"
FLOWS = frozenset(("NextIteration", "Merge", "Switch"))
PRODUCTS = frozenset(("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Conv2D", "Einsum", "MatMul"))
_KEEPING = """
    Assert Case CudnnRNN CudnnRNNV3 DeviceIndex HashTableV2 If LookupTableFindV2 LookupTableSizeV2 PartitionedCall
    Print PrintV2 ReadVariableOp ResourceGather StatefulPartitionedCall StringFormat VarHandleOp While
"""
KEEPING = frozenset(_KEEPING.split())  # are called stateful, and change nothing
Tensor = Any


class NotCompiledError(ValueError):
    """Why a signature stays as it is."""


@dataclass(frozen=True)
class Guard:
    """Of a region whose shapes hang on values: it runs compiled if its row of shapes is among those that are fed."""

    known: str  # the tensor to feed, int32 [rows, width]
    shapes: str  # the tensor to fetch, int32 [width]
    width: int


@dataclass(frozen=True)
class Rewritten:
    """fetches: what is fetched in the place of the outputs, in their order; loops: whether something loops plainly;
    reasons: why some operations are not compiled."""

    fetches: tuple[str, ...]
    guards: tuple[Guard, ...]
    loops: bool
    reasons: frozenset[str]


def add_compiled(graph: Any, feeds: Sequence[str], fetches: Sequence[str]) -> Rewritten:
    """Adds the compiled form of these fetches to a session's graph.

    Raises NotCompiledError where nothing of it may or need be compiled; a run raises what TensorFlow raises."""
    if set(feeds) & set(fetches):
        raise NotCompiledError("an output is an input")
    if any(full(feed) != f"{node_of(feed)}:0" for feed in feeds):
        raise NotCompiledError("an input is one of several outputs of an operation")
    form = _Form(graph, feeds, fetches)
    definition = form.graph_def()
    given = {name: graph.get_tensor_by_name(name) for name in form.given if _is_read(definition, name)}
    wanted = [*form.answers, *(name for guard in form.guards for name in (guard.known, guard.shapes))]
    with graph.as_default():
        tensors = tf.import_graph_def(definition, given, wanted, name=PREFIX)
    names = [tensor.name for tensor in tensors]
    answers, rest = names[: len(fetches)], names[len(fetches) :]
    guards = [Guard(rest[2 * i], rest[2 * i + 1], guard.width) for i, guard in enumerate(form.guards)]
    return Rewritten(tuple(answers), tuple(guards), form.loops, frozenset(form.reasons))


class _Form:
    """The form in a graph of its own, under the names of the session's."""

    def __init__(self, graph: Any, feeds: Sequence[str], fetches: Sequence[str]) -> None:
        self._definition = graph.as_graph_def()
        self._library = {function.signature.name: function for function in self._definition.library.function}
        sources = [op.name for op in graph.get_operations() if not op.inputs and _op(op.type).is_stateful]
        self.given = [*(full(feed) for feed in feeds), *(f"{name}:0" for name in sources)]
        self._whole = inlined(graph, {node_of(name) for name in self.given}, fetches)
        self._refuse()
        self._graph = self._imported(graph)
        self.reasons: set[str] = set()
        self.guards: list[Guard] = []
        self._replaced: dict[str, str] = {}  # an output of a region's operation -> that of its call
        self._calls: dict[str, str] = {}  # an operation of a region -> the call
        safe = self._looked_at(feeds)
        for region in self._chosen(safe):
            self._call(region)
        if not self._calls:
            raise NotCompiledError("; ".join(sorted(self.reasons)) or "nothing in it is worth it")
        plain = [node for name, node in self._whole.nodes.items() if name not in self._calls]
        self.loops = any(node.op in LOOPS for node in (*plain, *_bodies(plain, self._library)))
        self.answers = self._answers()

    def _refuse(self) -> None:
        """Of what changes a state, or follows the control flow of TensorFlow 1, nothing is compiled."""
        ops = {node.op for node in (*self._whole.nodes.values(), *_bodies(self._whole.nodes.values(), self._library))}
        if ops & FLOWS:
            raise NotCompiledError("it has loops or branches of TensorFlow 1")
        changing = sorted(op for op in ops if op not in KEEPING and _op(op).is_stateful)
        if changing:
            raise NotCompiledError(f"it has {', '.join(changing)}")

    def _imported(self, graph: Any) -> Any:
        """The operations, and in the place of what is given the same, or a placeholder."""
        definition = tf.compat.v1.GraphDef(versions=self._definition.versions, library=self._definition.library)
        for name in self.given:
            op = graph.get_tensor_by_name(name).op
            if op.inputs:
                node = definition.node.add(name=op.name, op="Placeholder")
                node.attr["dtype"].type = op.outputs[0].dtype.as_datatype_enum
                node.attr["shape"].shape.CopyFrom(op.outputs[0].shape.as_proto())
            else:
                definition.node.add().CopyFrom(op.node_def)
        definition.node.extend(self._whole.nodes.values())
        own = tf.Graph()
        with own.as_default():
            tf.import_graph_def(definition, name="")
        return own

    @cached_property
    def _ops(self) -> dict[str, Any]:
        return {name: self._graph.get_operation_by_name(name) for name in self._whole.nodes}

    def _looked_at(self, feeds: Sequence[str]) -> set[str]:
        """The operations that may be compiled."""
        fed = {node_of(feed) for feed in feeds}
        safety, safe = Safety(self._library), set()
        self._values: dict[str, list[Value]] = {node_of(one): [Value(node_of(one) in fed)] for one in self.given}
        for node in in_order(self._whole.nodes):
            operands = [self._value(one) for one in node.input if not one.startswith("^")]
            self._values[node.name], reasons = safety.outcome(node, operands)
            if any(tensor.dtype._is_ref_dtype for tensor in self._ops[node.name].inputs):
                reasons.add("it reads a variable of TensorFlow 1")
            self.reasons |= reasons
            if not reasons:
                safe.add(node.name)
        return safe

    def _value(self, tensor: str) -> Value:
        values = self._values[node_of(tensor)]
        return values[int(full(tensor).rpartition(":")[2])] if len(values) > 1 else values[0]

    def _chosen(self, safe: set[str]) -> list[set[str]]:
        """The regions with loops; where no region has one, those with products of matrices."""
        sources = {
            node.name: [one for one in map(node_of, node.input) if one in self._whole.nodes]
            for node in in_order(self._whole.nodes)
        }
        bound = [
            (tensor.op.name, name)
            for name, op in self._ops.items()
            for tensor in op.inputs
            if tensor.dtype == tf.variant and tensor.op.name in sources
        ]
        found = [region for _, region in sorted(regions(sources, safe, bound).items())]
        for heavy in (LOOPS, PRODUCTS):
            chosen = [region for region in found if self._has(region, heavy)]
            if chosen:
                return chosen
        return []

    def _has(self, region: Iterable[str], heavy: frozenset[str]) -> bool:
        nodes = [self._whole.nodes[name] for name in region]
        return any(node.op in heavy for node in (*nodes, *_bodies(nodes, self._library)))

    def _call(self, region: set[str]) -> None:
        """Puts a call into the place of a region, if it can."""
        inside = [node for node in in_order(self._whole.nodes) if node.name in region]
        read = {tensor.name: tensor for node in inside for tensor in self._ops[node.name].inputs}
        inputs = [tensor for tensor in read.values() if tensor.op.name not in region]
        outputs = [tensor for node in inside for tensor in self._ops[node.name].outputs if self._leaves(tensor, region)]
        if not outputs or any(_stays(tensor) for tensor in (*inputs, *outputs) if tensor.dtype != tf.resource):
            return
        kept = [_copy(node, region) for node in inside]
        names, results = [tensor.name for tensor in inputs], [tensor.name for tensor in outputs]
        run = _function(kept, self._library, names, results, compiled=True)
        hangs = any(self._value(tensor.name).sized for tensor in inputs)
        if hangs:
            numbers = [self._row(tensor) for tensor in inputs if tensor.dtype != tf.resource]
            if None in numbers:
                self.reasons.add("the number of dimensions of a part is not known")
                return
            run = _guarded(run, _function(kept, self._library, names, results, compiled=False), names, numbers)
        waits = {one.name: one for name in region for one in self._ops[name].control_inputs if one.name not in region}
        # in a scope of its own: the runtime puts what a call does under its name, where copies of others' parts may be
        scope = tf.name_scope(f"{PREFIX}_region")
        with self._graph.as_default(), tf.control_dependencies(list(waits.values())), scope:
            if hangs:
                width = sum(number.width for number in numbers if number is not None)
                known = tf.compat.v1.placeholder(tf.int32, [None, width], "known")
                shapes, *answers = run(known, *inputs)
                self.guards.append(Guard(known.name, shapes.name, width))
            else:
                answers = run(*inputs)
        self._replaced |= {one: answer.name for one, answer in zip(results, answers, strict=True)}
        self._calls |= dict.fromkeys(region, answers[0].op.name)

    def _leaves(self, tensor: Tensor, region: set[str]) -> bool:
        readers = (reader.name for reader in tensor.consumers())
        is_fetched = tensor.name in map(full, self._whole.fetches)
        return is_fetched or any(name not in region for name in readers if name in self._whole.nodes)

    def _row(self, tensor: Tensor) -> "_Row | None":
        """What a row of shapes has of a tensor; None where its length is not known."""
        value = self._value(tensor.name)
        if value.varies or not tensor.dtype.is_integer:
            return _Row(tensor.name, tensor.shape.rank) if tensor.shape.rank is not None else None
        return _Row(tensor.name, tensor.shape.num_elements(), numbers=True) if tensor.shape.is_fully_defined() else None

    def _answers(self) -> list[str]:
        """What is fetched, when all that has to run has run."""
        with self._graph.as_default():
            last = [self._graph.get_operation_by_name(self._calls.get(name, name)) for name in self._whole.effects]
            with tf.control_dependencies(last):
                found = [self._replaced.get(full(fetch), full(fetch)) for fetch in self._whole.fetches]
                return [tf.identity(self._graph.get_tensor_by_name(name), "answer").name for name in found]

    def graph_def(self) -> Any:
        """What is imported into the session's graph, which has the functions of the plain form."""
        definition = self._graph.as_graph_def()
        left_out = {*self._calls, *(node_of(name) for name in self.given)}
        nodes = [node for node in definition.node if node.name not in left_out]
        for node in nodes:
            renamed = [self._replaced.get(full(one), one) for one in node.input if not one.startswith("^")]
            waits = [f"^{self._calls.get(one[1:], one[1:])}" for one in node.input if one.startswith("^")]
            node.input[:] = [*renamed, *dict.fromkeys(one for one in waits if node_of(one) != node.name)]
        new = [one for one in definition.library.function if one.signature.name not in self._library]
        library = type(definition.library)(function=new)
        return type(definition)(versions=definition.versions, node=nodes, library=library)


@dataclass(frozen=True)
class _Row:
    """The part of a row of shapes that is of one tensor: its dimensions, or its own numbers."""

    tensor: str
    width: int
    numbers: bool = False

    def of(self, tensor: Tensor) -> Tensor:
        return tf.cast(tf.reshape(tensor, [-1]), tf.int32) if self.numbers else tf.shape(tensor)


def _function(
    nodes: Sequence[Any], library: Mapping[str, Any], inputs: Sequence[str], outputs: Sequence[str], compiled: bool
) -> Callable[..., Any]:
    """A function of the input tensors that runs the nodes."""
    part = tf.compat.v1.GraphDef(node=nodes)
    if compiled:
        for node in part.node:
            node.attr.pop(LOWERED, None)
            node.device = ""
        _add_functions(part, library)
    else:
        part.library.function.extend(library[name] for name in _called(part.node, library))

    def body(*tensors: Tensor) -> Any:
        return tf.import_graph_def(part, dict(zip(inputs, tensors, strict=True)), list(outputs), name="")

    return tf.function(body, jit_compile=True if compiled else None, autograph=False)


def _guarded(
    compiled: Callable[..., Any], plain: Callable[..., Any], inputs: Sequence[str], rows: Sequence[_Row | None]
) -> Callable[..., Any]:
    """A function of the known shapes and the inputs that also gives the shapes of these inputs."""

    def body(known: Tensor, *tensors: Tensor) -> Any:
        given = dict(zip(inputs, tensors, strict=True))
        shapes = tf.concat([row.of(given[row.tensor]) for row in rows if row is not None], axis=0)
        is_known = tf.reduce_any(tf.reduce_all(tf.equal(known, shapes), axis=1))
        return shapes, *tf.cond(is_known, lambda: compiled(*tensors), lambda: plain(*tensors))

    return tf.function(body, autograph=False)


def _copy(node: Any, region: set[str]) -> Any:
    """Without what it waits for outside, for which the whole region waits."""
    copy = type(node)()
    copy.CopyFrom(node)
    copy.input[:] = [one for one in node.input if not one.startswith("^") or one[1:] in region]
    return copy


def _stays(tensor: Tensor) -> bool:
    """Whether it cannot be handed over to something compiled, or by it."""
    return bool(tensor.dtype in (tf.string, tf.variant) or tensor.dtype._is_ref_dtype)


def _is_read(definition: Any, tensor: str) -> bool:
    return any(full(one) == tensor for node in definition.node for one in node.input)


def _op(name: str) -> Any:
    found = op_def_registry.get(name)
    if found is None:
        raise NotCompiledError(f"it has {name}, which is not TensorFlow's")
    return found


def _called(nodes: Iterable[Any], library: Mapping[str, Any]) -> set[str]:
    """The functions that these nodes call, and those that these call."""
    called: set[str] = set()
    waiting = [function.name for function in _calls(nodes)]
    while waiting:
        name = waiting.pop()
        if name in library and name not in called:
            called.add(name)
            waiting += [function.name for function in _calls(library[name].node_def)]
    return called


def _bodies(nodes: Iterable[Any], library: Mapping[str, Any]) -> Iterator[Any]:
    """The nodes of the functions that these nodes call."""
    for name in _called(nodes, library):
        yield from library[name].node_def


def _add_functions(part: Any, library: Mapping[str, Any]) -> None:
    """Copies of the functions that the part calls, with loops and branches left whole."""
    called = _called(part.node, library)
    for name in called:
        copy = part.library.function.add()
        copy.CopyFrom(library[name])
        copy.signature.name = f"{PREFIX}_{name}"
        for node in copy.node_def:
            node.attr.pop(LOWERED, None)
        _rename(copy.node_def, called)
    _rename(part.node, called)


def _rename(nodes: Iterable[Any], called: set[str]) -> None:
    for function in _calls(nodes):
        if function.name in called:
            function.name = f"{PREFIX}_{function.name}"


def _calls(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for value in node.attr.values():
            if value.HasField("func"):
                yield value.func
            yield from value.list.func
