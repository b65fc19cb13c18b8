import numpy as np
import tensorflow as tf

from serving.compiling import CompiledForm, short_way


def found():
    def function(a, b):
        return {"sum": a + b, "product": a * b}

    specs = tf.TensorSpec([None, 3], tf.float32, "a"), tf.TensorSpec([None, 3], tf.float32, "b")
    return tf.function(function, autograph=False).get_concrete_function(*specs)


def test_a_form_gives_the_numbers_of_its_function():
    x = np.float32([[1, 2, 3], [4, 5, 6]])
    call = found()
    form = CompiledForm(lambda a, b: call(a, b), {"a": x, "b": x}, ["product", "sum"])
    product, total = form([x, 2 * x])
    assert product.tolist() == (2 * x * x).tolist()
    assert total.tolist() == (3 * x).tolist()


def test_a_variable_is_read_the_short_way_too():
    weight = tf.Variable(2.0)
    concrete = tf.function(lambda x: [x * weight]).get_concrete_function(tf.TensorSpec([2]))
    assert short_way(concrete, 1)([tf.constant([1.0, 2.0])])[0].numpy().tolist() == [2, 4]


def test_the_public_call_takes_the_place_of_a_short_way_that_is_not_there():
    concrete = tf.function(lambda x: [x * 2]).get_concrete_function(tf.TensorSpec([2]))
    without = lambda *tensors: concrete(*tensors)  # noqa: E731  it has no _inference_function
    assert short_way(without, 1)([tf.constant([1.0, 2.0])])[0].numpy().tolist() == [2, 4]
