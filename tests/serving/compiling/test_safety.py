import pytest
import tensorflow as tf

from serving.compiling.inlining import inlined, node_of
from serving.compiling.safety import Safety, Value, in_order

ROWS = [[1.0, 2.0]] * 5
TEXT = tf.TensorSpec([None], tf.string)


def look(function, *specs):
    """Why something of a function that a graph calls, as SavedModels have them, may not be compiled; what comes out."""
    inner = tf.function(function, autograph=False)
    with tf.Graph().as_default() as graph:
        placeholders = [tf.compat.v1.placeholder(spec.dtype, spec.shape, f"in{n}") for n, spec in enumerate(specs)]
        outputs = tf.nest.flatten(inner(*placeholders))
    found = inlined(graph, {one.op.name for one in placeholders}, [one.name for one in outputs])
    safety = Safety({function.signature.name: function for function in graph.as_graph_def().library.function})
    values, reasons = {one.op.name: [Value(varies=True)] for one in placeholders}, set()
    for node in in_order(found.nodes):
        operands = [value(one, values) for one in node.input if not one.startswith("^")]
        values[node.name], why = safety.outcome(node, operands)
        reasons |= why
    return reasons, value(found.fetches[0], values)


def value(tensor, values):
    known = values[node_of(tensor)]
    return known[int(tensor.partition(":")[2] or 0)] if len(known) > 1 else known[0]


X = tf.TensorSpec([None, 3], tf.float32)
WHOLE = tf.TensorSpec([None], tf.int32)
ONE = tf.TensorSpec([], tf.int32)


def loop(x):
    return tf.while_loop(lambda i, h: i < tf.shape(x)[0], lambda i, h: (i + 1, tf.tanh(h + x[i])), [0, x[0]])[1]


def up_to(n):
    return tf.while_loop(lambda i: i < n, lambda i: (i + 1,), [0])


def checking(x):
    return tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, tf.debugging.check_numerics(x, "")), [0, x])


@pytest.mark.parametrize(
    ("function", "specs"),
    [
        (lambda x: tf.matmul(x, tf.ones([3, 3])), [X]),
        (loop, [X]),
        (lambda x: tf.gather(x, [0, 2], axis=1), [X]),
        (lambda x, n: tf.sequence_mask(n, tf.shape(x)[0]), [X, WHOLE]),
        (lambda x: tf.scan(lambda h, z: h + z, x), [X]),
        (lambda x: x // 2.0, [X]),
        (lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: -x), [X]),
    ],
)
def test_what_only_shapes_can_make_fail_is_safe(function, specs):
    assert look(function, *specs)[0] == set()


@pytest.mark.parametrize(
    ("function", "specs", "reason"),
    [
        (lambda x, n: x[n], [X, ONE], "its StridedSlice depends on the data"),
        (lambda x, n: tf.slice(x, [n, 0], [1, 1]), [X, ONE], "its Slice depends on the data"),
        (lambda n: 7 // n, [WHOLE], "its FloorDiv depends on the data"),
        (lambda n: tf.gather(tf.constant(ROWS), n), [WHOLE], "its GatherV2 depends on the data"),
        (lambda x, n: tf.gather(x, n, batch_dims=1), [X, WHOLE], "its GatherV2 depends on the data"),
        (lambda n: tf.fill([n], 1.0), [ONE], "its Fill depends on the data"),
        (lambda x: tf.debugging.check_numerics(x, "no"), [X], "it has CheckNumerics"),
        (lambda x: x + tf.random.uniform([3], seed=1), [X], "it has RandomUniform"),
        (lambda x: tf.where(x > 0), [X], "it has Where"),
        (lambda x: tf.cast(x, tf.int32), [X], "it has Cast of numbers to whole ones"),
        (lambda s: tf.identity(s), [TEXT], "it has strings"),
        (lambda s: tf.while_loop(lambda s: True, lambda s: [s], [s], maximum_iterations=2), [TEXT], "it has strings"),
        (up_to, [ONE], "the number of turns of a loop depends on the data"),
        (checking, [X], "it has CheckNumerics"),
    ],
)
def test_what_values_can_make_fail_or_go_on_is_not(function, specs, reason):
    assert reason in look(function, *specs)[0]


def test_an_assertion_behind_a_control_edge_of_a_function_is_found():
    def checked(x):
        with tf.control_dependencies([tf.debugging.assert_positive(x)]):
            return tf.identity(x)

    assert "it has Assert" in look(checked, X)[0]


@pytest.mark.parametrize(
    ("function", "specs", "is_sized"),
    [
        (lambda s: tf.strings.length(s), [TEXT], False),
        (lambda x, n: tf.gather(x, n, batch_dims=1), [X, WHOLE], False),
        (lambda x: tf.boolean_mask(x, x[:, 0] > 0), [X], True),
        (lambda n: tf.zeros([n, 2]), [ONE], True),
        (lambda n: tf.shape(tf.zeros([n, 2])), [ONE], True),
        (lambda n, x: x + tf.cast(tf.shape(tf.range(n))[0], tf.float32), [ONE, X], True),
        (lambda s: tf.strings.split(s).to_tensor(), [TEXT], True),
        (lambda x: tf.cast(x, tf.int32), [X], False),
    ],
)
def test_shapes_that_hang_on_values_are_known(function, specs, is_sized):
    assert look(function, *specs)[1].sized is is_sized


def test_a_shape_does_not_vary_with_the_values_that_have_it():
    assert not look(lambda x: tf.shape(x), X)[1].varies
    assert look(lambda x: x + 1.0, X)[1].varies
