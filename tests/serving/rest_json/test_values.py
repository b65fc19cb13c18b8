import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2

from serving.errors import ServingError
from serving.rest_json.values import Filler, decode_base64, is_base64, plain_array, shape_of
from serving.signature import Slot


def slot(dtype):
    return Slot("x", "x:0", types_pb2.DataType.Value(f"DT_{dtype}"))


def filled(dtype, value):
    filler = Filler(slot(dtype))
    filler.add(value, shape_of(value))
    return filler.array(shape_of(value))


def error(dtype, value):
    with pytest.raises(ServingError) as caught:
        filled(dtype, value)
    assert plain_array(value, slot(dtype)) is None or isinstance(value, bool)
    return caught.value.status


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("FLOAT", [1, 2.5], np.float32([1, 2.5])),
        ("FLOAT", 1e300, np.float32("inf")),
        ("FLOAT", 1e-300, np.float32(0)),
        ("FLOAT", (1 << 64) - 1, np.float32(2**64)),
        ("DOUBLE", [[0.1]], np.float64([[0.1]])),
        ("INT32", [-(1 << 31), (1 << 31) - 1], np.int32([-(1 << 31), (1 << 31) - 1])),
        ("INT8", 300, np.int8(44)),
        ("UINT8", [-1], np.uint8([255])),
        ("INT16", 1 << 20, np.int16(0)),
        ("INT64", -(1 << 63), np.int64(-(1 << 63))),
        ("UINT32", (1 << 32) - 1, np.uint32((1 << 32) - 1)),
        ("UINT64", [(1 << 64) - 1, 1 << 63], np.uint64([(1 << 64) - 1, 1 << 63])),
        ("FLOAT", [], np.zeros(0, np.float32)),
        ("INT64", [[]], np.zeros((1, 0), np.int64)),
    ],
)
def test_numbers_become_arrays_in_haste_and_with_care(dtype, value, expected):
    for found in (filled(dtype, value), plain_array(value, slot(dtype))):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert found.tolist() == expected.tolist()


@given(
    st.recursive(st.integers() | st.floats() | st.booleans() | st.none() | st.text(), st.lists, max_leaves=8),
    st.sampled_from(["FLOAT", "DOUBLE", "INT32", "UINT8", "INT64", "UINT32", "UINT64"]),
)
def test_haste_never_gives_another_array_than_care(value, dtype):
    if "True" in repr(value) or "False" in repr(value):
        return  # the caller looks for these in the text
    hasty = plain_array(value, slot(dtype))
    if hasty is None:
        return
    careful = filled(dtype, value)
    assert hasty.dtype == careful.dtype
    assert np.array_equal(hasty, careful, equal_nan=True)
    assert hasty.shape == careful.shape


def test_bools_and_strings():
    assert filled("BOOL", [True, False]).tolist() == [True, False]
    assert filled("STRING", ["é", {"b64": "/w=="}]).tolist() == ["é".encode(), b"\xff"]
    assert filled("STRING", "a").tolist() == b"a"


@pytest.mark.parametrize(
    ("dtype", "value", "text"),
    [
        ("FLOAT", ["a"], 'JSON Value: "a" Type: String is not of expected type: float'),
        ("FLOAT", [None], "JSON Value: null Type: Null is not of expected type: float"),
        ("DOUBLE", True, "JSON Value: true Type: True is not of expected type: double"),
        ("INT32", 1.0, "JSON Value: 1.0 Type: Number is not of expected type: int32"),
        ("INT32", [1 << 31], "JSON Value: 2147483648 Type: Number is not of expected type: int32"),
        ("UINT8", [False], "JSON Value: false Type: False is not of expected type: uint8"),
        ("INT64", 1 << 63, "JSON Value: 9223372036854775808 Type: Number is not of expected type: int64"),
        ("UINT32", [-1], "JSON Value: -1 Type: Number is not of expected type: uint32"),
        ("UINT64", [0.5], "JSON Value: 0.5 Type: Number is not of expected type: uint64"),
        ("BOOL", 1, "JSON Value: 1 Type: Number is not of expected type: bool"),
        ("STRING", 1, "JSON Value: 1 Type: Number is not of expected type: string"),
        ("FLOAT", {"a": 1}, 'JSON Value: {\n    "a": 1\n} Type: Object is not of expected type: float'),
        ("STRING", {"a": 1}, 'JSON Value: {\n    "a": 1\n} not formatted correctly for base64 data'),
        ("STRING", {"b64": "?"}, "Unable to base64 decode"),
        ("FLOAT", [[1], 2], "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ("FLOAT", [1, [2]], "Encountered list at unexpected level: 1 expected < 1"),
        ("FLOAT", [[1, 2], [3]], "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_stock_text(dtype, value, text):
    assert error(dtype, value) == f"INVALID_ARGUMENT: {text}"


@pytest.mark.parametrize("dtype", ["HALF", "BFLOAT16", "UINT16", "COMPLEX64", "QINT8"])
def test_other_dtypes_have_no_json_form(dtype):
    assert error(dtype, [1]) == f"UNIMPLEMENTED: Conversion of JSON Value: 1 to type: {dtype.lower()}"


def test_a_tensor_of_too_many_dimensions_is_refused():
    deep = 1.0
    for _ in range(100_000):
        deep = [deep]
    assert plain_array(deep, slot("FLOAT")) is None
    assert error("FLOAT", deep) == "INVALID_ARGUMENT: tensor parsing error: x"


@given(st.binary())
def test_base64_with_or_without_padding_and_blanks(content):
    text = base64.b64encode(content).decode()
    for form in (text, text.rstrip("="), " ".join(text), f"\n{text}\t"):
        assert decode_base64({"b64": form}) == content


@pytest.mark.parametrize("text", ["a", "ab=", "a===", "ab-_", "====", "ab==cd"])
def test_what_is_no_base64_is_refused(text):
    with pytest.raises(ServingError, match="Unable to base64 decode"):
        decode_base64({"b64": text})


def test_only_an_object_with_nothing_but_b64_is_a_value():
    assert is_base64({"b64": ""})
    for other in ({}, {"b64": 1}, {"b64": "", "a": 1}, "b64", None):
        assert not is_base64(other)


def test_numbers_that_numpy_would_round_are_read_with_care():
    assert plain_array([(1 << 64) - 1, 0], slot("UINT64")) is None
    assert filled("UINT64", [(1 << 64) - 1, 0]).tolist() == [(1 << 64) - 1, 0]
