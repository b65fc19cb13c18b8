import json
import math
import re

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serving.errors import InvalidArgumentError
from serving.rest_json import reader
from serving.rest_json.reader import member_count, read

SCALARS = (
    st.none()
    | st.booleans()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(1 << 63), (1 << 64) - 1)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)


@settings(deadline=None)
@given(VALUES, st.sampled_from([None, 0, 2]), st.booleans())
def test_plain_json_is_read_as_orjson_reads_it(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        expected = orjson.loads(text)
    except orjson.JSONDecodeError:  # lone surrogates
        return
    found = read(text)
    assert found == expected
    assert repr(found) == repr(expected)  # 1 is not 1.0


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60) | st.text('[]{},:"\\tru0123-+.eEnNaIif ', max_size=30).map(str.encode))
@example(b'{"a":1}x')
def test_any_bytes_are_read_or_refused_with_a_reason(text):
    try:
        read(text)
    except InvalidArgumentError as error:
        found = re.fullmatch(r"JSON Parse error: .+\. at offset: (\d+)", error.message)
    else:
        return
    assert found
    assert 0 <= int(found[1]) <= len(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"NaN", math.nan),
        (b"-NaN", math.nan),
        (b"Infinity", math.inf),
        (b"-Infinity", -math.inf),
        (b"Inf", math.inf),
        (b"-Inf", -math.inf),
        (b"-0", 0),
        (b"-0.0", -0.0),
        (b"1e2", 100.0),
        (b"18446744073709551615", (1 << 64) - 1),
        (b"18446744073709551616", 18446744073709551616.0),
        (b"-9223372036854775809", -9223372036854775809.0),
        (b"1E-400", 0.0),
        (b"1" + b"0" * 30, 1e30),
        (b"true", True),
        (b"false", False),
        (b"null", None),
    ],
)
def test_numbers_and_words(text, value):
    found = read(text)
    assert type(found) is type(value)
    assert found == value or (math.isnan(value) and math.isnan(found))
    if isinstance(value, float) and not math.isnan(value):
        assert math.copysign(1, found) == math.copysign(1, value)


def test_text_after_the_first_value_is_ignored():
    assert read(b'{"a": 1} and more }') == {"a": 1}
    assert read(b"1.5]") == 1.5


def test_a_byte_order_mark_is_skipped():
    assert read(b"\xef\xbb\xbf[1]") == [1]


def test_of_a_repeated_key_the_first_counts_and_the_others_are_kept_aside():
    found = read(b'{"a": 1, "b": 2, "a": 3}')
    assert found == {"a": 1, "b": 2}
    assert found.repeated == [("a", 3)]
    assert member_count(found) == 3
    assert member_count({"a": 1}) == 1


def test_bytes_that_are_not_utf_8_pass_through():
    assert read(b'"a\xff\xfe"').encode("utf-8", "surrogateescape") == b"a\xff\xfe"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'"\"\\\/\b\f\n\r\t"', '"\\/\b\f\n\r\t'),
        (rb'"\u0041\u00e9\u20ac"', "Aé€"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"\u0000"', "\0"),
    ],
)
def test_escapes(text, value):
    assert read(text) == value


def test_half_a_million_levels_are_read():
    levels = 500_000
    found = read(
        b'{"x": ' + b"[" * levels + b"]" * levels + b', "y": ' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"
    )
    assert set(found) == {"x", "y"}


@pytest.mark.parametrize(
    ("text", "reason", "offset"),
    [
        (b"   ", "The document is empty.", 3),
        (b"}", "The document is empty.", 0),
        (b" ]", "The document is empty.", 1),
        (b",", "The document is empty.", 0),
        (b":", "The document is empty.", 0),
        (b"\0", "The document is empty.", 0),
        (b"{", "Missing a name for object member.", 1),
        (b"{1:2}", "Missing a name for object member.", 1),
        (b'{"a":1,}', "Missing a name for object member.", 7),
        (b'{"a":1,', "Missing a name for object member.", 7),
        (b'{"a" 1}', "Missing a colon after a name of object member.", 5),
        (b'{"a"', "Missing a colon after a name of object member.", 4),
        (b'{"a":}', "Invalid value.", 5),
        (b'{"a":', "Invalid value.", 5),
        (b"[", "Invalid value.", 1),
        (b"[1,]", "Invalid value.", 3),
        (b"[1,", "Invalid value.", 3),
        (b"[,", "Invalid value.", 1),
        (b'{"a":1 "b":2}', "Missing a comma or '}' after an object member.", 7),
        (b'{"a":1', "Missing a comma or '}' after an object member.", 6),
        (b'{"a":1]', "Missing a comma or '}' after an object member.", 6),
        (b"[1 2]", "Missing a comma or ']' after an array element.", 3),
        (b"[1", "Missing a comma or ']' after an array element.", 2),
        (b"[01]", "Missing a comma or ']' after an array element.", 2),
        (b"trux", "Invalid value.", 3),
        (b"nul", "Invalid value.", 3),
        (b"x", "Invalid value.", 0),
        (b"[+1]", "Invalid value.", 1),
        (b"-", "Invalid value.", 1),
        (b"-x", "Invalid value.", 1),
        (b"Na", "Invalid value.", 2),
        (b"Infinitx", "Invalid value.", 7),
        (b".5", "Invalid value.", 0),
        (b"1.", "Miss fraction part in number.", 2),
        (b"1.e1", "Miss fraction part in number.", 2),
        (b"1e", "Miss exponent in number.", 2),
        (b"[1e+]", "Miss exponent in number.", 4),
        (b"[1e400]", "Number too big to be stored in double.", 1),
        (b"-1" + b"0" * 400, "Number too big to be stored in double.", 0),
        (b'"abc', "Missing a closing quotation mark in string.", 4),
        (b'"a\0b"', "Missing a closing quotation mark in string.", 2),
        (rb'"a\x"', "Invalid escape character in string.", 2),
        (b'"a\n"', "Invalid escape character in string.", 2),
        (rb'"\u12g4"', "Incorrect hex digit after \\u escape in string.", 1),
        (rb'"\ud83d"', "The surrogate pair in string is invalid.", 1),
        (rb'"\ud83d\u0041"', "The surrogate pair in string is invalid.", 1),
    ],
)
def test_bad_json_is_refused_with_reason_and_offset(text, reason, offset):
    with pytest.raises(InvalidArgumentError) as error:
        read(text)
    assert error.value.message == f"JSON Parse error: {reason} at offset: {offset}"


def test_every_state_of_the_reader_has_a_reason_that_ends_with_a_dot():
    assert all(due.reason.endswith(".") for due in reader.Due)
