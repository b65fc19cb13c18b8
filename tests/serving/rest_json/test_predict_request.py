import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2

from serving.errors import InvalidArgumentError, ServingError
from serving.rest_json.predict_request import Form, parse, parse_plain, tensors
from serving.signature import Slot


def slots(**dtypes):
    return {alias: Slot(alias, f"{alias}:0", types_pb2.DataType.Value(dtypes[alias])) for alias in sorted(dtypes)}


X = slots(x="DT_FLOAT")
AB = slots(a="DT_FLOAT", b="DT_INT64")
S = slots(s="DT_STRING")


def read(body, inputs):
    arrays, form = tensors(parse(body.encode() if isinstance(body, str) else body), inputs)
    return {alias: array.tolist() for alias, array in arrays.items()}, form


def refused(body, inputs=X):
    with pytest.raises(InvalidArgumentError) as error:
        read(body, inputs)
    return error.value.message


@pytest.mark.parametrize(
    ("body", "inputs", "expected"),
    [
        ('{"instances": [1, 2.5]}', X, {"x": [1, 2.5]}),
        ('{"instances": [[1, 2], [3, 4]]}', X, {"x": [[1, 2], [3, 4]]}),
        ('{"instances": [{"x": 1}, {"x": 2}]}', X, {"x": [1, 2]}),
        ('{"instances": [{"a": [1, 2], "b": 3}, {"b": 4, "a": [5, 6]}]}', AB, {"a": [[1, 2], [5, 6]], "b": [3, 4]}),
        ('{"instances": [{"b64": "/w=="}, "a"]}', S, {"s": [b"\xff", b"a"]}),
        ('{"instances": [{"s": {"b64": "YQ=="}}]}', S, {"s": [b"a"]}),
        ('{"instances": ["true", "a: b", "\\":"]}', S, {"s": [b"true", b"a: b", b'":']}),
        ('{"instances": [[]]}', X, {"x": [[]]}),
    ],
)
def test_rows(body, inputs, expected):
    assert read(body, inputs) == (expected, Form.ROW)


@pytest.mark.parametrize(
    ("body", "inputs", "expected"),
    [
        ('{"inputs": [3.0, 4.0]}', X, {"x": [3, 4]}),
        ('{"inputs": 3.0}', X, {"x": 3}),
        ('{"inputs": {"x": [[1]]}}', X, {"x": [[1]]}),
        ('{"inputs": {"b64": "YQ=="}}', S, {"s": b"a"}),
        ('{"inputs": {"a": [1], "b": [[2, 3]], "extra": null}}', AB, {"a": [1], "b": [[2, 3]]}),
        ('{"inputs": []}', X, {"x": []}),
    ],
)
def test_columns(body, inputs, expected):
    assert read(body, inputs) == (expected, Form.COLUMN)


def test_arrays_have_the_dtype_of_the_signature():
    arrays, _ = tensors(parse(b'{"inputs": {"a": [1], "b": [2]}}'), AB)
    assert (arrays["a"].dtype, arrays["b"].dtype) == (np.float32, np.int64)


def test_the_signature_name_is_read():
    assert parse(b'{"signature_name": "other"}').signature_name == "other"
    assert parse(b'{"signature_name": ""}').signature_name == parse(b"{}").signature_name == ""


def test_of_a_repeated_key_the_first_counts():
    assert read('{"inputs": [1], "inputs": [2]}', X) == ({"x": [1]}, Form.COLUMN)
    assert read('{"inputs":[1],"inputs":[2]}', X) == ({"x": [1]}, Form.COLUMN)
    assert read('{"inputs": {"x" : [1], "x": [2]}}', X) == ({"x": [1]}, Form.COLUMN)
    assert parse(b'{"signature_name": "a", "signature_name": "b"}').signature_name == "a"


def test_json_that_only_rapidjson_reads():
    arrays, _ = tensors(parse(b'\xef\xbb\xbf{"inputs": [NaN, -Inf, Infinity]} trailing'), X)
    assert np.array_equal(arrays["x"], np.float32([np.nan, -np.inf, np.inf]), equal_nan=True)


def test_half_a_million_levels_under_an_unknown_key_pass():
    deep = b"[" * 500_000 + b"]" * 500_000
    assert read(b'{"unknown": ' + deep + b', "inputs": [1]}', X) == ({"x": [1]}, Form.COLUMN)


DOCUMENT = '{\n    "instances": 1\n}'


@pytest.mark.parametrize(
    ("body", "inputs", "text"),
    [
        ("", X, "JSON Parse error: The document is empty"),
        (" ", X, "JSON Parse error: The document is empty. at offset: 1"),
        ("[1]", X, "JSON Value: [1] Is not object"),
        ("NaN", X, "JSON Value: NaN Is not object"),
        (
            '{"signature_name": 1}',
            X,
            'JSON Value: {\n    "signature_name": 1\n} not formatted correctly. '
            "'signature_name' key must be a string value.",
        ),
        ("{}", X, "Missing 'inputs' or 'instances' key"),
        ("{}", {}, "Failed to get input map for signature: DEFAULT"),
        ('{"signature_name": "s"}', {}, "Failed to get input map for signature: s"),
        (
            '{"inputs": [1], "instances": [1]}',
            X,
            'JSON Value: {\n    "inputs": [1],\n    "instances": [1]\n} Not formatted '
            "correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        ),
        ('{"instances": 1}', X, f"JSON Value: {DOCUMENT} Expecting 'instances' to be an list/array"),
        ('{"instances": []}', X, "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array"),
        (
            '{"instances": [1]}',
            AB,
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map",
        ),
        ('{"instances": [{"x": 1}, 2]}', X, "Expecting object but got list at item 1 of input list"),
        ('{"instances": [1, {"x": 1}]}', X, "Expecting value/list but got object at item 1 of input list"),
        (
            '{"instances": [{"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}]}',
            AB,
            "Failed to process element: 1 key: c of "
            "'instances' list. Error: INVALID_ARGUMENT: JSON object: does not have named input: c",
        ),
        (
            '{"instances": [{"a": 1}]}',
            AB,
            "Failed to process element: 0 of 'instances' list. JSON object: {\n    \"a\": 1\n} "
            "keys must be equal to: a,b",
        ),
        (
            '{"instances": [{"a": "x", "b": 2}]}',
            AB,
            "Failed to process element: 0 key: a of 'instances' list. Error: "
            'INVALID_ARGUMENT: JSON Value: "x" Type: String is not of expected type: float',
        ),
        (
            '{"instances": [1, "x"]}',
            X,
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: JSON "
            'Value: "x" Type: String is not of expected type: float',
        ),
        (
            '{"instances": [1, true]}',
            X,
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: JSON "
            "Value: true Type: True is not of expected type: float",
        ),
        (
            '{"instances": [[1, 2], [3]]}',
            X,
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
            "Expecting tensor size: 2 but got: 1",
        ),
        (
            '{"instances": [[1, 2], [[3], [4]]]}',
            X,
            "Failed to process element: 1 of 'instances' list. Error: "
            "INVALID_ARGUMENT: Expecting shape [2] but got: [2,1]",
        ),
        (
            '{"instances": [[1], 2]}',
            X,
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
            "Expecting shape [1] but got: []",
        ),
        (
            '{"instances": [1]}',
            slots(x="DT_HALF"),
            "Failed to process element: 0 of 'instances' list. Error: "
            "UNIMPLEMENTED: Conversion of JSON Value: 1 to type: half",
        ),
        (
            '{"inputs": [1]}',
            AB,
            "inputs is a plain value/list, but expecting an object as multiple input tensors required "
            "as per tensorinfo_map",
        ),
        ('{"inputs": {"a": [1]}}', AB, "Missing named input: b in 'inputs' object."),
        ('{"inputs": [[1, 2], [3]]}', X, "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_stock_text(body, inputs, text):
    assert refused(body, inputs) == text


def test_a_dtype_without_json_form_stays_unimplemented_in_columns():
    with pytest.raises(ServingError) as error:
        read('{"inputs": [1]}', slots(x="DT_BFLOAT16"))
    assert error.value.status == "UNIMPLEMENTED: Conversion of JSON Value: 1 to type: bfloat16"


@settings(deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"a": st.floats(width=32), "b": st.integers(-(1 << 63), (1 << 63) - 1)}), min_size=1)
)
def test_any_rows_that_are_written_are_read(rows):
    arrays, _ = tensors(parse(json.dumps({"instances": rows}).encode()), AB)
    assert np.array_equal(arrays["a"], np.float32([row["a"] for row in rows]), equal_nan=True)
    assert arrays["b"].tolist() == [row["b"] for row in rows]


@settings(deadline=None)
@given(st.text('{}[]":,1.a b64instances inputs truefalse\\', max_size=60), st.sampled_from([X, AB, S]))
def test_any_text_is_read_or_refused(text, inputs):
    for body in (text, f'{{"instances": {text}}}', f'{{"inputs": {text}}}'):
        with contextlib.suppress(ServingError):
            read(body, inputs)


@pytest.mark.parametrize(
    "body", [b'{"inputs": [1, 2.5]}', b'{"signature_name": "s", "instances": [{"a": [1]}, {"a": [2]}]}']
)
def test_plain_json_is_read_the_short_way_as_the_long_one(body):
    assert parse_plain(body) == parse(body)


@pytest.mark.parametrize("word", ["true", "false"])
def test_a_bool_is_seen_wherever_it_stands(word):
    assert parse_plain(b'{"inputs": [1, 2]}').plain
    assert not parse_plain(b'{"inputs": [1, %s]}' % word.encode()).plain


@pytest.mark.parametrize(
    "body", [b"", b'{"inputs": NaN}', b'{"inputs": 1, "inputs": 2}', b'{"inputs" : "a"}', b"{} {}"]
)
def test_what_is_not_plain_or_may_repeat_a_name_is_left_to_the_long_way(body):
    assert parse_plain(body) is None
