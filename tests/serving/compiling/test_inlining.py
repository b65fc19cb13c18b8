import pytest
import tensorflow as tf

from serving.compiling.inlining import inlined


@tf.function(autograph=False)
def squared(x):
    tf.debugging.Assert(tf.reduce_all(x > 0), ["not positive"])
    return x * x, x


@tf.function(autograph=False)
def outer(x, y):
    (four, two), (nine, _) = squared(x), squared(y)
    with tf.control_dependencies([four]):
        parts = tf.split(nine + y, 2)
    return {
        "last": parts[1],
        "same": y,
        "loop": tf.while_loop(lambda h: tf.reduce_sum(h) < 99, lambda h: [h * h], [two]),
    }


def flat():
    """The graph, and what is left of it when its calls are gone."""
    with tf.Graph().as_default() as graph:
        x, y = (tf.compat.v1.placeholder(tf.float32, [2], name) for name in "xy")
        outputs = tf.nest.flatten(outer(x, y))
    return graph, inlined(graph, {"x", "y"}, [one.name for one in outputs])


def run(found, library, x, y):
    definition = tf.compat.v1.GraphDef(node=found.nodes.values(), library=library)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        given = {"x:0": tf.constant(x, tf.float32), "y:0": tf.constant(y, tf.float32)}
        tensors = tf.import_graph_def(definition, given, found.fetches, name="")
        effects = [graph.get_operation_by_name(name) for name in found.effects]
        return dict(zip(found.fetches, session.run([tensors, effects])[0], strict=True))


def test_what_calls_hold_lies_in_the_graph_itself_and_gives_the_same():
    graph, found = flat()
    library = graph.as_graph_def().library
    assert not {node.op for node in found.nodes.values()} & {"PartitionedCall", "StatefulPartitionedCall"}
    results = run(found, library, [2, 3], [4, 5])
    last, loop, same = (results[name].tolist() for name in found.fetches)
    assert last == [25 + 5]
    assert loop == [256, 6561]
    assert same == [4, 5]


def test_what_nothing_reads_but_has_to_run_is_named_once_for_each_call():
    graph, found = flat()
    asserts = [name for name in found.effects if found.nodes[name].op == "Assert"]
    assert len(asserts) == len(set(asserts)) == 2
    for x, y in (([-1, 1], [1, 1]), ([1, 1], [1, -1])):
        with pytest.raises(tf.errors.InvalidArgumentError, match="not positive"):
            run(found, graph.as_graph_def().library, x, y)


def test_what_waits_for_a_call_waits_for_what_it_did():
    _, found = flat()
    (add,) = (node for node in found.nodes.values() if node.op == "AddV2")
    waited = {one[1:] for one in add.input if one.startswith("^")}
    assert {found.nodes[name].op for name in waited} == {"Assert", "Identity"}  # what it asserts, and what it returns
    assert [one.startswith("^") for one in add.input[:2]] == [False, False]
