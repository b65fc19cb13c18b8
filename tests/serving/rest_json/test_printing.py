import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.rest_json.printing import LONGEST, quoted, text_of, type_name


@given(st.text())
def test_a_quoted_string_reads_back(text):
    assert json.loads(quoted(text)) == text


def test_only_quotes_backslashes_and_control_characters_are_escaped():
    assert quoted('a"b\\c/d\n\x1fé\x7f') == '"a\\"b\\\\c/d\\n\\u001Fé\x7f"'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, [2.0, "a"], []], '[1, [2.0, "a"], []]'),
        ({}, "{}"),
        ("x", '"x"'),
        (None, "null"),
        (True, "true"),
        (0.1, "0.1"),
        (float("nan"), "NaN"),
        ({"a": {"b": [1]}, "c": 2}, '{\n    "a": {\n        "b": [1]\n    },\n    "c": 2\n}'),
        ([{"a": 1}, 2], '[{\n    "a": 1\n}, 2]'),
    ],
)
def test_values_in_messages_are_pretty_with_arrays_on_one_line(value, text):
    assert text_of(value) == text


def test_long_values_are_cut():
    assert len(text_of("é" * 1000).encode("utf-8", "surrogateescape")) == LONGEST
    assert text_of(list(range(10_000))).startswith("[0, 1, 2,")


def test_any_depth_is_printed():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert text_of(deep) == "[" * LONGEST


def test_types_have_the_names_of_the_stock_messages():
    values = [None, False, True, {}, [], "", 1, 1.5]
    assert [type_name(v) for v in values] == ["Null", "False", "True", "Object", "Array", "String", "Number", "Number"]
