import contextlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving import tensor_proto
from serving.dtypes import DTYPES

NUMBERS = [d for d in DTYPES.values() if d.name != "string" and not d.name.startswith("q")]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@st.composite
def arrays(draw):
    """Any array that a client can send."""
    shape = draw(SHAPES)
    dtype = draw(st.sampled_from(NUMBERS)).numpy
    if dtype == tf.bfloat16.as_numpy_dtype:
        return draw(hnp.arrays(np.uint16, shape)).view(dtype)
    return draw(hnp.arrays(dtype, shape))


@st.composite
def strings(draw):
    shape = draw(SHAPES)
    found = np.empty(int(np.prod(shape)), object)
    found[:] = [draw(st.binary(max_size=300)) for _ in found]
    return found.reshape(shape)


def same(one, other):
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    assert one.tolist() == other.tolist() if one.dtype == object else one.tobytes() == other.tobytes()


@settings(deadline=None)
@given(arrays() | strings(), st.booleans())
def test_what_is_encoded_is_decoded_to_the_same(array, as_content):
    same(tensor_proto.decode(tensor_proto.encode(array, as_content)), array)


@settings(deadline=None)
@given(arrays() | strings())
def test_what_tensorflow_encodes_is_decoded_to_the_same(array):
    same(tensor_proto.decode(tf.make_tensor_proto(array)), array)


@settings(deadline=None)
@given(arrays() | strings(), st.booleans())
def test_tensorflow_decodes_what_is_encoded(array, as_content):
    found = tf.make_ndarray(tensor_proto.encode(array, as_content))
    same(found if array.ndim else np.asarray(found, array.dtype), array)


@pytest.mark.parametrize(
    ("array", "field"),
    [
        (np.float32([1, 2.5]), "float_val"), (np.float64([1, 2.5]), "double_val"), (np.int8([-1, 2]), "int_val"),
        (np.uint16([1, 65535]), "int_val"), (np.int64([1 << 40, -2]), "int64_val"), (np.uint32([1, 2]), "uint32_val"),
        (np.uint64([1 << 63, 2]), "uint64_val"), (np.array([True, False]), "bool_val"),
        (np.array([b"a", b"\xff"], object), "string_val"),
    ],
)  # fmt: skip
def test_answers_have_one_typed_value_for_each_element(array, field):
    proto = tensor_proto.encode(array)
    assert list(getattr(proto, field)) == array.tolist()
    assert not proto.tensor_content


def test_halves_stand_as_bits():
    assert list(tensor_proto.encode(np.float16([1, -2])).half_val) == [0x3C00, 0xC000]
    assert list(tensor_proto.encode(np.array([1], tf.bfloat16.as_numpy_dtype)).half_val) == [0x3F80]


def test_rank_0_has_a_shape_without_dimensions_and_one_value():
    proto = tensor_proto.encode(np.float32(3))
    assert proto.HasField("tensor_shape")
    assert not proto.tensor_shape.dim
    assert not proto.tensor_shape.unknown_rank
    assert list(proto.float_val) == [3]


def test_content_holds_numbers_but_never_strings():
    assert tensor_proto.encode(np.int32([1]), as_content=True).tensor_content == b"\1\0\0\0"
    assert list(tensor_proto.encode(np.array([b"a"], object), as_content=True).string_val) == [b"a"]


def proto(dtype, shape, **fields):
    found = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(dtype), **fields)
    for size in shape:
        found.tensor_shape.dim.add(size=size)
    return found


def test_the_last_value_is_repeated():
    assert tensor_proto.decode(proto("DT_FLOAT", [2, 2], float_val=[1, 2])).tolist() == [[1, 2], [2, 2]]
    assert tensor_proto.decode(proto("DT_STRING", [3], string_val=[b"a"])).tolist() == [b"a"] * 3
    assert tensor_proto.decode(proto("DT_HALF", [2], half_val=[0x3C00])).tolist() == [1, 1]
    assert tensor_proto.decode(proto("DT_COMPLEX64", [2], scomplex_val=[1, 2])).tolist() == [1 + 2j] * 2


def test_no_value_means_zeros():
    assert tensor_proto.decode(proto("DT_INT64", [2])).tolist() == [0, 0]
    assert tensor_proto.decode(proto("DT_STRING", [2])).tolist() == [b"", b""]
    assert tensor_proto.decode(proto("DT_BOOL", [])).tolist() is False


def test_values_beyond_the_elements_are_ignored():
    assert tensor_proto.decode(proto("DT_INT32", [1], int_val=[5, 6])).tolist() == [5]


def test_strings_in_content_are_lengths_and_then_bytes():
    long = b"x" * 300
    content = b"\1\xac\2\0" + b"a" + long
    assert tensor_proto.decode(proto("DT_STRING", [3], tensor_content=content)).tolist() == [b"a", long, b""]


@pytest.mark.parametrize(
    "wrong",
    [
        proto("DT_FLOAT", [2], tensor_content=b"\0\0\0\0"),
        proto("DT_FLOAT", [2], tensor_content=b"\0\0\0"),
        proto("DT_FLOAT", [-1], float_val=[1]),
        proto("DT_FLOAT", [1 << 20, 1 << 20], float_val=[1]),
        proto("DT_FLOAT", [1 << 40, 1 << 40], tensor_content=b"\0\0\0\0"),
        proto("DT_FLOAT", [1] * 255, float_val=[1]),
        proto("DT_STRING", [1 << 40], tensor_content=b"\0"),
        proto("DT_STRING", [2], tensor_content=b"\5\5a"),
        proto("DT_STRING", [1], tensor_content=b"\x80"),
        proto("DT_STRING", [1], tensor_content=b"\xff" * 12),
        proto("DT_RESOURCE", [1]),
        tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape={"unknown_rank": True}),
        tensor_pb2.TensorProto(),
    ],
)  # fmt: skip
def test_what_does_not_decode_is_an_error_before_memory_is_taken(wrong):
    with pytest.raises(ValueError):  # noqa: PT011
        tensor_proto.decode(wrong)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_that_parse_decode_or_are_an_error(content):
    try:
        found = tensor_pb2.TensorProto.FromString(content)
    except Exception:
        return
    with contextlib.suppress(ValueError):
        assert isinstance(tensor_proto.decode(found), np.ndarray)
