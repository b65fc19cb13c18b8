import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from serving.dtypes import BYTES, DTYPES, name_of, of_array
from serving.errors import UnimplementedError


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=lambda dtype: dtype.enum)
def test_each_dtype_is_that_of_tensorflow(dtype):
    theirs = tf.dtypes.as_dtype(dtype.number)
    assert dtype.enum == types_pb2.DataType.Name(dtype.number)
    assert dtype.numpy == (BYTES if theirs == tf.string else np.dtype(theirs.as_numpy_dtype))
    assert of_array(np.zeros(1, dtype.numpy)) == dtype


def test_names_in_messages_are_those_of_the_runtime():
    assert name_of(types_pb2.DT_FLOAT) == "float"
    assert name_of(types_pb2.DT_DOUBLE) == "double"
    assert name_of(types_pb2.DT_HALF) == "half"
    assert name_of(types_pb2.DT_STRING) == "string"
    assert name_of(types_pb2.DT_RESOURCE) == "resource"
    assert name_of(9999) == "unknown dtype enum (9999)"


def test_a_dtype_without_a_form_on_the_wire_is_named():
    with pytest.raises(UnimplementedError, match="Tensors of dtype datetime64"):
        of_array(np.zeros(1, "datetime64[s]"))
