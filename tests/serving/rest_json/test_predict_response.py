import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving.errors import InvalidArgumentError
from serving.rest_json.predict_request import Form
from serving.rest_json.predict_response import encode

DTYPES = st.sampled_from([np.float32, np.float64, np.int64, np.bool_])


def text_array(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_a_single_output_in_rows_has_no_name():
    assert encode({"y": np.float32([2.5, 3, 4.5])}, Form.ROW) == b'{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}'
    assert json.loads(encode({"y": np.float32([[1], [2]])}, Form.ROW)) == {"predictions": [[1.0], [2.0]]}


def test_several_outputs_in_rows_are_objects():
    found = encode({"a": np.int64([1, 2]), "b": np.array([[True], [False]])}, Form.ROW)
    assert json.loads(found) == {"predictions": [{"a": 1, "b": [True]}, {"a": 2, "b": [False]}]}
    assert b'        {\n            "a": 1,\n            "b": [true]\n        }' in found


def test_a_single_output_in_columns_has_no_name():
    assert encode({"y": np.float32([[1, 2]])}, Form.COLUMN) == b'{\n    "outputs": [[1.0, 2.0]]\n}'
    assert encode({"y": np.float32(3)}, Form.COLUMN) == b'{\n    "outputs": 3.0\n}'


def test_several_outputs_in_columns_have_names():
    found = encode({"a": np.int64([1]), "b": np.float64(0.5)}, Form.COLUMN)
    assert json.loads(found) == {"outputs": {"a": [1], "b": 0.5}}


def test_a_batch_of_none_is_an_empty_list():
    assert json.loads(encode({"y": np.zeros((0, 2), np.float32)}, Form.ROW)) == {"predictions": []}
    assert json.loads(encode({"y": np.zeros((2, 0), np.float32)}, Form.ROW)) == {"predictions": [[], []]}


def test_strings_go_out_as_they_are():
    assert (
        encode({"y": text_array("é/".encode(), b'"\n')}, Form.COLUMN)
        == '{\n    "outputs": ["é/", "\\"\\n"]\n}'.encode()
    )
    assert b'["\xff"]' in encode({"y": text_array(b"\xff")}, Form.COLUMN)


def test_an_alias_that_ends_in_bytes_is_base64():
    assert json.loads(encode({"y_bytes": text_array(b"\xff", b"")}, Form.ROW)) == {
        "predictions": [{"b64": "/w=="}, {"b64": ""}]
    }


def test_64_bit_numbers_are_no_strings():
    assert b"[18446744073709551615]" in encode({"y": np.uint64([2**64 - 1])}, Form.COLUMN)


@pytest.mark.parametrize(
    ("outputs", "form", "text"),
    [
        ({"y": np.float32(1)}, Form.ROW, "Tensor name: y has no shape information "),
        (
            {"a": np.float32([1, 2]), "b": np.float32([1])},
            Form.ROW,
            "Tensor name: b has inconsistent batch size: 1 expecting: 2",
        ),
        ({}, Form.ROW, "Cannot convert empty tensor map to JSON"),
        ({"y": np.float16([1])}, Form.COLUMN, "Failed to write JSON value for tensor type: half"),
        ({"y": np.complex64([1])}, Form.ROW, "Failed to write JSON value for tensor type: complex64"),
        ({"y": np.uint16([1])}, Form.ROW, "Failed to write JSON value for tensor type: uint16"),
    ],
)
def test_what_has_no_json_form_is_an_error(outputs, form, text):
    with pytest.raises(InvalidArgumentError) as error:
        encode(outputs, form)
    assert error.value.message == text


@settings(deadline=None)
@given(st.lists(DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, st.tuples(st.just(2), st.integers(0, 20)))), min_size=1))
def test_outputs_are_written_beside_others_as_they_are_alone(arrays):
    outputs = {f"y{i}": array for i, array in enumerate(arrays)}
    found = encode(outputs, Form.COLUMN, named=True).decode().split("\n")[2:-2]
    alone = [
        encode({alias: array}, Form.COLUMN, named=True).decode().split("\n")[2] for alias, array in outputs.items()
    ]
    assert [line.removesuffix(",") for line in found] == alone


@settings(deadline=None)
@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0)))
def test_any_array_reads_back(array):
    for form, key in ((Form.ROW, "predictions"), (Form.COLUMN, "outputs")):
        found = json.loads(encode({"y": array}, form))[key]
        back = np.array(found, np.float32).reshape(array.shape)
        assert np.array_equal(back, array, equal_nan=True)
