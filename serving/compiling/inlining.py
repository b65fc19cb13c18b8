"""A graph whose calls of functions are replaced by what the functions hold, so that its parts can be told apart.

The signatures of TensorFlow 2 are calls of calls. Loops and branches stay: their functions are run as wholes."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from tensorflow.python.framework.function_def_to_graph import (
    function_def_to_graph_def,  # not public; nothing public gives the nodes of a function the names of a graph's
)

CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))


@dataclass(frozen=True)
class Inlined:
    """nodes: by name, only those that are needed; fetches: what is fetched is called here; effects: nodes that have to
    run though nothing reads them, such as assertions."""

    nodes: dict[str, Any]
    fetches: list[str]
    effects: list[str]


def inlined(graph: Any, outside: Set[str], fetches: Sequence[str]) -> Inlined:
    """The nodes of a tf.Graph that the fetches need, down to those outside, whose names stay."""
    definition = graph.as_graph_def()
    library = {function.signature.name: function for function in definition.library.function}
    nodes = reached({node.name: node for node in definition.node}, outside, map(node_of, fetches))
    tensors: dict[str, str] = {}  # an output of a call -> what gives it
    after: dict[str, list[str]] = {}  # a call -> what has run when it has ended
    effects: list[str] = []
    waiting = [node for node in nodes.values() if _is_inlined(node, library)]
    with graph.as_default():  # the functions are found there
        while waiting:
            call = waiting.pop()
            del nodes[call.name]
            body, results, last = _body(library[call.attr["f"].func.name], call)
            nodes |= body
            tensors |= {f"{call.name}:{index}": tensor for index, tensor in enumerate(results)}
            after[call.name] = last + [node_of(tensor) for tensor in results]
            effects += last
            waiting += [node for node in body.values() if _is_inlined(node, library)]
    for node in nodes.values():
        node.input[:] = _in_order([one for given in node.input for one in _resolved(given, tensors, after)])
    found = [_tensor(fetch, tensors) for fetch in fetches]
    effects = [name for name in effects if name in nodes]
    needed = reached(nodes, outside, [*map(node_of, found), *effects])
    return Inlined(needed, found, effects)


def _is_inlined(node: Any, library: Mapping[str, Any]) -> bool:
    return node.op in CALLS and not node.attr["_XlaMustCompile"].b and node.attr["f"].func.name in library


def _body(function: Any, call: Any) -> tuple[dict[str, Any], list[str], list[str]]:
    """The nodes of a call, the tensors that it returns, and the nodes that have to run in any case."""
    definition, flat = function_def_to_graph_def(function)
    arguments = [one for one in call.input if not one.startswith("^")]
    given = {f"{one.name}:0": value for one, value in zip(function.signature.input_arg, arguments, strict=True)}
    before = [one for one in call.input if one.startswith("^")]

    def here(tensor: str) -> str:
        if tensor.startswith("^"):
            argument = given.get(f"{tensor[1:]}:0")
            return f"^{call.name}/{tensor[1:]}" if argument is None else f"^{node_of(argument)}"
        return given.get(full(tensor), f"{call.name}/{tensor}")

    nodes = {}
    for node in definition.node:
        if f"{node.name}:0" in given:
            continue
        node.name = f"{call.name}/{node.name}"
        node.attr.pop("_class", None)  # beside which node it lies, by a name that is the function's own
        node.input[:] = _in_order([*map(here, node.input), *before])
        nodes[node.name] = node
    results = [here(flat.get(function.ret[one.name], function.ret[one.name])) for one in function.signature.output_arg]
    return nodes, results, [f"{call.name}/{name}" for name in function.control_ret.values()]


def _in_order(inputs: Sequence[str]) -> list[str]:
    """What is read, then what is only waited for, each of those once."""
    read = [one for one in inputs if not one.startswith("^")]
    return [*read, *dict.fromkeys(one for one in inputs if one.startswith("^"))]


def _tensor(tensor: str, tensors: Mapping[str, str]) -> str:
    while full(tensor) in tensors:
        tensor = tensors[full(tensor)]
    return tensor


def _resolved(given: str, tensors: Mapping[str, str], after: Mapping[str, list[str]]) -> list[str]:
    """The inputs in the place of one that may be of a call."""
    if not given.startswith("^"):
        return [_tensor(given, tensors)]
    found, waiting = [], [given[1:]]
    while waiting:
        name = waiting.pop()
        if name in after:
            waiting += after[name]
        else:
            found.append(f"^{name}")
    return found


def reached(nodes: Mapping[str, Any], outside: Set[str], names: Iterable[str]) -> dict[str, Any]:
    """Copies of the nodes that these need, down to those outside, which are left out."""
    found: dict[str, Any] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name in outside:
            continue
        node = found[name] = type(nodes[name])()
        node.CopyFrom(nodes[name])
        node.input[:] = [one for one in node.input if not (one.startswith("^") and node_of(one) in outside)]
        waiting += map(node_of, node.input)
    return found


def node_of(tensor: str) -> str:
    """The node of `node`, `node:0` or `^node`."""
    return tensor.removeprefix("^").partition(":")[0]


def full(tensor: str) -> str:
    """`node:0` for `node`."""
    return tensor if ":" in tensor or tensor.startswith("^") else f"{tensor}:0"
