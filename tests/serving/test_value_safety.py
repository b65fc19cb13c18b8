import pytest
import tensorflow as tf

from serving.value_safety import Bound, findings

ROWS = [[1.0, 2.0]] * 5


def look(function, *specs):
    """What is found of a function that a graph calls, as SavedModels have them."""
    inner = tf.function(function, autograph=False)
    with tf.Graph().as_default() as graph:
        placeholders = [tf.compat.v1.placeholder(spec.dtype, spec.shape, f"in{n}") for n, spec in enumerate(specs)]
        outputs = tf.nest.flatten(inner(*placeholders))
        graph_def = graph.as_graph_def()
    return findings(graph_def, [one.name for one in placeholders], [one.name for one in outputs])


X = tf.TensorSpec([None, 3], tf.float32)
WHOLE = tf.TensorSpec([None], tf.int32)
ONE = tf.TensorSpec([], tf.int32)


def loop(x):
    return tf.while_loop(lambda i, h: i < tf.shape(x)[0], lambda i, h: (i + 1, tf.tanh(h + x[i])), [0, x[0]])[1]


def checking_loop(x):
    return tf.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, tf.debugging.check_numerics(h, "no")), [0, x])[1]


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
    found = look(function, *specs)
    assert (found.reasons, found.bounds) == (set(), set())


@pytest.mark.parametrize(
    ("function", "specs", "reason"),
    [
        (lambda x, n: x[n], [X, ONE], "its StridedSlice depends on the data"),
        (lambda x, n: tf.slice(x, [n, 0], [1, 1]), [X, ONE], "its Slice depends on the data"),
        (lambda n: 7 // n, [WHOLE], "its FloorDiv depends on the data"),
        (lambda n: tf.gather(tf.ones([5]), n + 1), [WHOLE], "its GatherV2 depends on the data"),
        (lambda x, n: tf.gather(x, n, batch_dims=1), [X, WHOLE], "its GatherV2 depends on the data"),
        (lambda n: tf.fill([n], 1.0), [ONE], "its Fill depends on the data"),
        (lambda x: tf.debugging.check_numerics(x, "no"), [X], "it has CheckNumerics"),
        (lambda x: x + tf.random.uniform([3], seed=1), [X], "it has RandomUniform"),
        (lambda x: tf.where(x > 0), [X], "it has Where"),
        (lambda x: tf.cast(x, tf.int32), [X], "it has Cast of numbers to whole ones"),
        (lambda s: tf.identity(s), [tf.TensorSpec([None], tf.string)], "it has strings"),
        (
            lambda n: tf.while_loop(lambda i: i < n, lambda i: (i + 1,), [0]),
            [ONE],
            "the number of turns of a loop depends on the data",
        ),
        (
            lambda x: tf.while_loop(
                lambda i, x: i < 3, lambda i, x: (i + 1, tf.debugging.check_numerics(x, "")), [0, x]
            ),
            [X],
            "it has CheckNumerics",
        ),
    ],
)
def test_what_values_can_make_fail_or_go_on_is_not(function, specs, reason):
    assert reason in look(function, *specs).reasons


def test_an_assertion_behind_a_control_edge_of_a_function_is_found():
    def checked(x):
        with tf.control_dependencies([tf.debugging.assert_positive(x)]):
            return tf.identity(x)

    assert "it has Assert" in look(checked, X).reasons


@pytest.mark.parametrize(
    "take",
    [
        lambda n: tf.gather(tf.constant(ROWS), n),
        lambda n: tf.gather(tf.constant(ROWS), tf.where(n < 0, n + 5, n)),  # as Keras's Embedding does
        lambda n: tf.gather(tf.constant(ROWS), tf.cast(n[:2], tf.int64)),
    ],
)
def test_rows_of_a_table_are_safe_within_a_bound(take):
    found = look(take, WHOLE)
    assert (found.reasons, found.bounds) == (set(), {Bound("in0:0", 5)})
