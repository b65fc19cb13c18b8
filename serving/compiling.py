"""The compiled form of a signature, beside its plain one in the same graph.

Compiled means XLA. The part of the graph between what is fed and what is fetched is imported once more as one
function, which the runtime compiles for each set of shapes that it is called with. The variables are the session's own,
so weights are held once, and what was compiled goes with the session. The SavedModel stays stock. Which signatures may
be compiled: `value_safety.py`."""

import ctypes
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import tensorflow as tf

LOWERED = "_lower_using_switch_merge"  # makes TensorFlow 1's loops of a loop, which XLA does not know
PREFIX = "compiled"


def add_compiled(graph: Any, feeds: Sequence[str], fetches: Sequence[str]) -> list[str]:
    """Adds the compiled form of these fetches to a session's graph; returns the tensors to fetch in their place.

    Raises ValueError for fetches that are fed; a run raises what TensorFlow raises when it cannot compile."""
    if set(feeds) & set(fetches):
        raise ValueError("an output is an input")
    definition = graph.as_graph_def()
    nodes = {node.name: node for node in definition.node}
    handles = [f"{node.name}:0" for node in definition.node if node.op == "VarHandleOp"]
    inside = _between(nodes, {_node(name) for name in (*feeds, *handles)}, fetches)
    part = tf.compat.v1.GraphDef(versions=definition.versions, node=inside)
    _add_functions(part, {function.signature.name: function for function in definition.library.function})
    read = {name for node in inside for name in map(_full, node.input)}
    names = [name for name in (*feeds, *handles) if name in read]

    def body(*tensors: Any) -> Any:
        return tf.import_graph_def(part, dict(zip(names, tensors, strict=True)), list(fetches), name="")

    with graph.as_default(), tf.name_scope(PREFIX):
        tensors = [graph.get_tensor_by_name(name) for name in names]
        outputs = tf.function(body, jit_compile=True, autograph=False)(*tensors)
        return [tf.identity(output).name for output in outputs]


def _between(nodes: Mapping[str, Any], outside: Set[str], fetches: Sequence[str]) -> list[Any]:
    """Copies of the nodes that the fetches need, up to those outside, which are left out."""
    reached: dict[str, Any] = {}
    waiting = [_node(name) for name in fetches]
    while waiting:
        name = waiting.pop()
        if name in reached or name in outside:
            continue
        node = reached[name] = type(nodes[name])()
        node.CopyFrom(nodes[name])
        node.attr.pop(LOWERED, None)
        node.device = ""
        kept = [source for source in node.input if not (source.startswith("^") and _node(source) in outside)]
        node.input[:] = kept
        waiting += map(_node, kept)
    return list(reached.values())


def _add_functions(part: Any, library: Mapping[str, Any]) -> None:
    """Copies of the functions that the part calls, with loops and branches left whole."""
    called: set[str] = set()
    waiting = [function.name for function in _calls(part.node)]
    while waiting:
        name = waiting.pop()
        if name in library and name not in called:
            called.add(name)
            waiting += [function.name for function in _calls(library[name].node_def)]
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


def _node(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _full(tensor: str) -> str:
    return tensor if ":" in tensor or tensor.startswith("^") else f"{tensor}:0"


def give_memory_back() -> None:
    """What the compiler has freed goes back to the system; without this the C library keeps tens of MB of it."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # not the GNU C library
        return
