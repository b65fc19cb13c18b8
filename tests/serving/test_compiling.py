import numpy as np
import pytest
import tensorflow as tf

from serving.compiling import CompiledForm, why_not


def concrete(function, *specs):
    return tf.function(function, autograph=False).get_concrete_function(*specs)


X = tf.TensorSpec([None, 3], tf.float32, "x")


def loop(x):
    return {"y": tf.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, tf.tanh(h + x)), [0, x])[1]}


def test_arithmetic_loops_and_variables_that_are_read_can_be_compiled():
    weight = tf.Variable(tf.ones([3, 3]))
    assert why_not(concrete(loop, X)) == []
    assert why_not(concrete(lambda x: {"y": tf.matmul(x, weight)}, X)) == []


@pytest.mark.parametrize(
    ("function", "spec", "reason"),
    [
        (lambda x: {"y": tf.gather([1.0, 2.0], x)}, tf.TensorSpec([None], tf.int32), "it has GatherV2"),
        (lambda s: {"y": tf.strings.length(s)}, tf.TensorSpec([None], tf.string), "it has StringLength"),
        (lambda s: {"y": tf.identity(s)}, tf.TensorSpec([None], tf.string), "it has strings"),
        (lambda x: {"y": x + tf.random.uniform([3])}, X, "it has RandomUniform"),
        (lambda x: {"y": tf.debugging.check_numerics(x, "no")}, X, "it has CheckNumerics"),
    ],
)
def test_what_would_lose_its_errors_or_its_chance_cannot(function, spec, reason):
    assert reason in why_not(concrete(function, spec))


def test_an_assertion_or_a_write_inside_a_function_is_found():
    counter = tf.Variable(0.0)

    @tf.function
    def inner(x):
        with tf.control_dependencies([tf.debugging.assert_positive(x), counter.assign_add(1.0)]):
            return tf.identity(x)

    reasons = why_not(concrete(lambda x: {"y": inner(x)}, X))
    assert "it has Assert" in reasons
    assert "it has AssignAddVariableOp, which keeps state" in reasons


def test_a_form_gives_the_numbers_of_its_function():
    x = np.float32([[1, 2, 3], [4, 5, 6]])

    def function(a, b):
        return {"sum": a + b, "product": a * b}

    found = concrete(function, tf.TensorSpec([None, 3], tf.float32, "a"), tf.TensorSpec([None, 3], tf.float32, "b"))

    def by_alias(a, b):
        return found(a, b)

    form = CompiledForm(by_alias, {"a": x, "b": x}, ["product", "sum"])
    product, total = form([x, x * 2])
    assert np.allclose(product, 2 * x * x)
    assert np.allclose(total, 3 * x)


def test_a_form_that_cannot_be_made_is_an_error():
    found = concrete(lambda x: {"y": tf.matmul(x, tf.ones([3, 2]))}, X)
    with pytest.raises(TypeError, match="shape"):
        CompiledForm(lambda x: found(x), {"x": np.zeros((2, 4), np.float32)}, ["y"])
