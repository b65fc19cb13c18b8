import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from serving.dtypes import DTYPES
from serving.errors import ServingError
from serving.sequences import special_inputs
from serving.sequences.special_inputs import SPECIAL, SpecialInputs, from_arrays, has_special, id_array, read

NO_ID = "Could not find sequence id in expected tensor proto field uint64_val"
NO_CONTROL = "Could not find sequence control input in expected tensor proto field uint32_val"
NO_STEP = "Could not find sequence step in expected tensor proto field int64_val"
NO_SHAPE = "Special input proto does not contain tensor shape information"
CONTROL = "Unexpected value of sequence control input"


def proto(values, dtype, shape=None):
    return tf.make_tensor_proto(values, dtype, shape)


def content(values, dtype):
    message = tf.make_tensor_proto(np.array(values, dtype))
    kind = message.dtype
    message.Clear()
    message.dtype = kind
    message.tensor_shape.dim.add(size=len(values))
    message.tensor_content = np.array(values, dtype).tobytes()
    return message


def without_value(dtype, *shape):
    message = tf.make_tensor_proto(np.zeros(0, dtype))
    message.tensor_shape.Clear()
    for size in shape:
        message.tensor_shape.dim.add(size=size)
    return message


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, (None, 0, None)),
        ({"sequence_id": proto([7], tf.uint64)}, (7, 0, None)),
        ({"sequence_id": content([2**64 - 1], np.uint64)}, (2**64 - 1, 0, None)),
        ({"sequence_id": proto([0], tf.uint64)}, (None, 0, None)),
        ({"sequence_id": proto(["7"], tf.string)}, ("7", 0, None)),
        ({"sequence_id": proto([""], tf.string)}, (None, 0, None)),
        ({"sequence_id": proto(["é" * 64], tf.string)}, ("é" * 64, 0, None)),
        ({"sequence_control_input": proto([1], tf.uint32)}, (None, 1, None)),
        ({"sequence_control_input": content([2], np.uint32)}, (None, 2, None)),
        ({"sequence_step": proto([0], tf.int64)}, (None, 0, 0)),
        ({"sequence_step": content([5], np.int64), "sequence_id": proto([1], tf.uint64)}, (1, 0, 5)),
    ],
)
def test_both_fields_are_read(inputs, expected):
    assert read(inputs) == SpecialInputs(*expected)


@pytest.mark.parametrize(
    ("alias", "given", "text"),
    [
        ("sequence_id", proto([7], tf.int64), NO_ID),
        ("sequence_id", proto([7.0], tf.float32), NO_ID),
        ("sequence_id", without_value(np.uint64, 1), NO_ID),
        ("sequence_id", without_value(object, 1), NO_ID),
        ("sequence_id", proto([b"\xff"], tf.string), NO_ID),
        ("sequence_id", proto(["é" * 65], tf.string), NO_ID),
        ("sequence_id", proto([7, 8], tf.uint64), NO_SHAPE),
        ("sequence_id", proto(7, tf.uint64), NO_SHAPE),
        ("sequence_id", proto([[7]], tf.uint64), NO_SHAPE),
        ("sequence_id", without_value(np.uint64, 0), NO_SHAPE),
        ("sequence_id", without_value(np.uint64, -1), NO_SHAPE),
        ("sequence_control_input", proto([1], tf.int32), NO_CONTROL),
        ("sequence_control_input", without_value(np.uint32, 1), NO_CONTROL),
        ("sequence_control_input", proto([1, 1], tf.uint32), NO_SHAPE),
        ("sequence_control_input", proto([3], tf.uint32), CONTROL),
        ("sequence_step", proto([0], tf.int32), NO_STEP),
        ("sequence_step", proto([-1], tf.int64), NO_STEP),
        ("sequence_step", without_value(np.int64, 1), NO_STEP),
        ("sequence_step", proto(0, tf.int64), NO_SHAPE),
    ],
)
def test_what_does_not_fit_is_refused(alias, given, text):
    with pytest.raises(ServingError) as refused:
        read({alias: given})
    assert refused.value.status == f"INVALID_ARGUMENT: {text}"


def test_an_id_comes_back_with_its_type():
    assert id_array(7).dtype == np.uint64
    assert id_array("é").tolist() == ["é".encode()]
    assert from_arrays({"sequence_id": id_array("7")}).id == "7"


def test_any_of_them_makes_a_call_one_of_a_sequence():
    assert has_special({"x": 0, "sequence_step": 0})
    assert not has_special({"x": 0, "state_h": 0})


NUMBERS = st.lists(st.sampled_from([0, 1, 2, 3, 2**31]), min_size=1, max_size=1)
TEXTS = st.lists(st.sampled_from([b"", b"7", b"\xff", b"x" * 128, b"x" * 129, "é".encode()]), min_size=1, max_size=1)


def mostly(usual, *others):
    return st.sampled_from([*[usual] * 4, *others])


def tensors(dtype):
    """Mostly as clients send them."""
    shapes = mostly([1], [], [2], [1, 1], [0])
    values = st.one_of(NUMBERS, NUMBERS, st.just([]), st.just([1, 2]))
    dtypes = mostly(dtype, np.uint64, np.uint32, np.int64, np.float32)
    numbers = st.builds(_tensor, dtypes, values, shapes, st.booleans())
    return st.one_of(numbers, st.builds(_tensor, st.just(object), TEXTS, shapes, st.just(False)))


def _tensor(dtype, values, shape, as_content):
    message = without_value(dtype, *shape)
    array = np.array(values, dtype)
    if as_content:
        message.tensor_content = array.tobytes()
    else:
        getattr(message, DTYPES[message.dtype].field).extend(array.tolist())
    return message


def outcome(call):
    try:
        return call()
    except ServingError as error:
        return error.code, error.message


@given(
    st.fixed_dictionaries({}, optional=dict(zip(SPECIAL, map(tensors, (np.uint64, np.uint32, np.int64)), strict=True)))
)
def test_what_is_read_at_once_is_what_the_arrays_say(inputs):
    arrays = {alias: special_inputs._array(tensor) for alias, tensor in inputs.items()}
    assert outcome(lambda: read(inputs)) == outcome(lambda: from_arrays(arrays))
