import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import input_pb2

from serving.calls.examples import printed, serialized
from serving.errors import InvalidArgumentError


def example(**floats):
    found = tf.train.Example()
    for name, value in floats.items():
        found.features.feature[name].float_list.value.append(value)
    return found


def test_examples_are_one_tensor_of_strings():
    given = input_pb2.Input()
    given.example_list.examples.extend([example(x=1), example(x=2)])
    found = serialized(given)
    assert found.shape == (2,)
    assert [tf.train.Example.FromString(one) for one in found] == [example(x=1), example(x=2)]


def test_a_context_is_merged_into_each():
    given = input_pb2.Input()
    given.example_list_with_context.context.CopyFrom(example(c=9))
    given.example_list_with_context.examples.extend([example(x=1), example(x=2)])
    for one, x in zip(serialized(given), (1, 2), strict=True):
        assert tf.train.Example.FromString(one) == example(c=9, x=x)


def test_no_examples_are_refused():
    empty = input_pb2.Input()
    empty.example_list.SetInParent()
    context = input_pb2.Input()
    context.example_list_with_context.context.CopyFrom(example(x=1))
    for given in (input_pb2.Input(), empty, context):
        with pytest.raises(InvalidArgumentError, match=r"^Input is empty\.$"):
            serialized(given)


def test_shapes_print_as_in_the_runtime():
    assert printed(np.zeros((2, 3, 4)).shape) == "[2,3,4]"
    assert printed(()) == "[]"
