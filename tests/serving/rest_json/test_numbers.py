import json
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving.rest_json.numbers import template, texts

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e[+-]\d{2,3})?")


def nested(array):
    return template(array.shape) % tuple(texts(array))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1.0"), (0.1, "0.1"), (9000000, "9e+06"), (999999, "999999.0"), (0.00003, "3e-05"), (1 / 3, "0.333333343"),
        (16777216, "16777216.0"), (555557.5, "555557.5"), (-0.0, "-0.0"), (0, "0.0"), (np.nan, "NaN"),
        (np.inf, "Infinity"), (-np.inf, "-Infinity"), (123456789, "123456792.0"), (1e10, "1e+10"), (2.5, "2.5"),
        (-1.5, "-1.5"), (3.4028235e38, "3.40282347e+38"), (1e-45, "1.4013e-45"),
    ],
)  # fmt: skip
def test_floats_print_as_in_the_stock_server(value, text):
    assert texts(np.array([value], np.float32)) == [text]
    assert texts(np.array([value, 1 / 3], np.float32))[0] == text  # beside one that is long


def test_doubles_have_17_digits_where_6_do_not_do():
    assert texts(np.array([0.1, 1 / 3, 1e300, 123456789.0])) == ["0.1", "0.33333333333333331", "1e+300", "123456789.0"]


def one_by_one(array, long):
    """The stock server's rule, without haste."""
    found = []
    for value in array:
        if not np.isfinite(value):
            found.append("NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity")
            continue
        text = f"{float(value):g}"
        if array.dtype.type(float(text)) != value:
            text = long % value
        found.append(text if "." in text or "e" in text else f"{text}.0")
    return found


@settings(deadline=None, max_examples=300)
@given(hnp.arrays(np.float32, st.integers(0, 20)))
@example(np.array([1.17549435e-38, 1e-40, 3.4e38, 99999.95, 0.3], np.float32))
def test_any_float_prints_by_the_rule_and_reads_back(array):
    found = texts(array)
    assert found == one_by_one(array, "%.9g")
    for text, value in zip(found, array, strict=True):
        assert NUMBER.fullmatch(text) or not np.isfinite(value)
        assert np.float32(text.replace("Infinity", "inf")) == value or np.isnan(value)


@settings(deadline=None, max_examples=300)
@given(hnp.arrays(np.float64, st.integers(0, 20)))
@example(np.array([5e-324, 2.2e-308, 1.7e308, 99999.99999999999, 0.3]))
def test_any_double_prints_by_the_rule_and_reads_back(array):
    found = texts(array)
    assert found == one_by_one(array, "%.17g")
    for text, value in zip(found, array, strict=True):
        assert np.float64(text.replace("Infinity", "inf")) == value or np.isnan(value)


@settings(deadline=None)
@given(st.lists(st.decimals(-1000, 1000, places=3, allow_nan=False).map(float), min_size=1))
def test_short_numbers_stay_short(values):
    assert texts(np.array(values)) == one_by_one(np.array(values), "%.17g")


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_whole_numbers_print_in_full(dtype):
    limits = np.iinfo(dtype)
    assert texts(np.array([limits.min, limits.max], dtype)) == [str(limits.min), str(limits.max)]


def test_bools_print_as_words():
    assert texts(np.array([[True], [False]])) == ["true", "false"]


@settings(deadline=None)
@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))
def test_a_whole_array_prints_the_texts_of_its_elements_in_nested_lists(array):
    expected = json.loads(f"[{', '.join(texts(array))}]")
    found = np.array(json.loads(nested(array)), np.float32).reshape(array.shape)
    assert np.array_equal(found.reshape(-1), np.float32(expected), equal_nan=True)
    assert re.sub(r"[\[\] ]", "", nested(array)).strip(",") == ",".join(texts(array)) or not array.size


def test_nested_lists_stand_on_one_line():
    assert nested(np.float32([[1, 2], [3, 1 / 3]])) == "[[1.0, 2.0], [3.0, 0.333333343]]"
    assert nested(np.float32([[1 / 3], [1 / 7]])) == "[[0.333333343], [0.142857149]]"
    assert nested(np.float32(1 / 3)) == "0.333333343"
    assert nested(np.zeros((2, 0), np.float32)) == "[[], []]"


def test_nothing_prints_nothing():
    assert texts(np.zeros((0, 3), np.float32)) == []
