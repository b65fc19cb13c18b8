import json

import pytest

from serving.errors import InvalidArgumentError
from serving.streams.asking import Asked, from_json


def read(**keys):
    return from_json(json.dumps(keys).encode())


def test_what_is_left_out_has_its_default():
    assert read(prompt="ä") == Asked("ä".encode(), 64, 1.0, 0, None, (), None, False)


def test_all_keys_are_read():
    keys = {"max_tokens": 4096, "temperature": 0, "top_k": 5, "seed": -1, "stop": ["b", "a", "b"], "keep": True}
    assert read(prompt="", sequence_id="x", **keys) == Asked(b"", 4096, 0.0, 5, -1, ("b", "a"), "x", True)
    assert read(prompt="", sequence_id=(1 << 64) - 1).sequence_id == (1 << 64) - 1


@pytest.mark.parametrize("absent", [0, ""])
def test_an_id_of_nothing_is_absent(absent):
    assert read(prompt="", sequence_id=absent).sequence_id is None


@pytest.mark.parametrize(
    ("key", "values", "problem"),
    [
        ("prompt", [None, 3, ["a"]], "must be a string"),
        ("max_tokens", [0, 4097, 1.5, True, "3", None], "must be a whole number from 1 to 4096"),
        ("temperature", [-0.1, "1", True, None], "must be a number, 0 or more"),
        ("top_k", [-1, 2.0, False, 1 << 31], "must be a whole number from 0 to 2147483647"),
        ("seed", [1 << 63, 0.5, "0"], f"must be a whole number from {-(1 << 63)} to {(1 << 63) - 1}"),
        ("stop", ["a", [""], [1], {}], "must be a list of strings that are not empty"),
        ("stop", [["a"] * 65, ["ä" * 513]], "must have at most 64 strings, each of at most 1024 bytes"),
        (
            "sequence_id",
            [-1, 1 << 64, 1.0, True, "x" * 129, ["x"]],
            f"must be a whole number from 0 to {(1 << 64) - 1}, or a string of at most 128 bytes",
        ),
        ("keep", [1, "yes", None], "must be true or false"),
        ("inputs", [{}], "is not known"),
    ],
)
def test_a_value_that_does_not_fit_is_named(key, values, problem):
    for value in values:
        with pytest.raises(InvalidArgumentError) as raised:
            read(**{"prompt": "", key: value})
        assert raised.value.message == f"generate_stream: {key} {problem}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"prompt": "a", "prompt": "b"}', "generate_stream: prompt is there twice"),
        (b'{"prompt": "\xff"}', "generate_stream: prompt must be UTF-8"),
        (b'{"prompt": "a", "temperature": NaN}', "generate_stream: temperature must be a number, 0 or more"),
        (b"", "JSON Parse error: The document is empty"),
    ],
)
def test_a_body_that_does_not_read_is_refused(body, message):
    with pytest.raises(InvalidArgumentError) as raised:
        from_json(body)
    assert raised.value.message == message
