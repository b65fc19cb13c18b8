"""JSON Schema of signatures, held against what the server reads: a validator that is not ours decides."""

import itertools

import pytest
import requests

jsonschema_rs = pytest.importorskip("jsonschema_rs", reason="comes with schemathesis, of the extra test")

from serving.openapi import schemas  # noqa: E402

ENTRIES = [
    ("scale", {"inputs": [[1]]}, True),
    ("scale", {"inputs": {"x": [[1.5]]}}, True),
    ("scale", {"instances": [[1], [2]]}, True),
    ("scale", {"instances": [{"x": [1]}]}, True),
    ("scale", {"signature_name": "serving_default", "instances": [[1]]}, True),
    ("scale", {"instances": []}, False),
    ("scale", {"instances": [["1"]]}, False),
    ("scale", {"inputs": [[True]]}, False),
    ("scale", {"instances": [{"y": [1]}]}, False),
    ("scale", {"signature_name": "nope", "inputs": [[1]]}, False),
    ("scale", {"signature_name": 1, "inputs": [[1]]}, False),
    ("scale", {}, False),
    ("kinds", {"signature_name": "two", "instances": [{"a": [1, 2], "b": [3, 4]}]}, True),
    ("kinds", {"signature_name": "two", "inputs": {"a": [[1, 2]], "b": [[3, 4]]}}, True),
    ("kinds", {"signature_name": "two", "inputs": {"a": [[1, 2]], "b": [[3, 4]], "more": None}}, True),
    ("kinds", {"signature_name": "two", "instances": [{"a": [1, 2], "b": [3, 4], "more": 1}]}, False),
    ("kinds", {"signature_name": "two", "instances": [{"a": [1, 2]}]}, False),
    ("kinds", {"signature_name": "two", "inputs": {"a": [[1, 2]], "b": [[3, 4.5]]}}, False),
    ("kinds", {"signature_name": "two", "inputs": {"a": [[1, 2]], "b": [[3, 1 << 63]]}}, False),
    ("kinds", {"signature_name": "text", "inputs": ["a", {"b64": "AAAA"}]}, True),
    ("kinds", {"signature_name": "text", "inputs": [{"b64": "AAAA", "more": 1}]}, False),
    ("kinds", {"signature_name": "text", "inputs": [1]}, False),
    ("kinds", {"signature_name": "scalar", "inputs": 2}, True),
    ("kinds", {"signature_name": "scalar", "inputs": None}, False),
    ("kinds", {"signature_name": "echo_bool", "inputs": [True]}, True),
    ("kinds", {"signature_name": "echo_uint8", "inputs": 3}, True),
    ("tf1", {"inputs": [[1]]}, True),
]


@pytest.fixture(scope="module")
def validators(server):
    return {
        name: jsonschema_rs.validator_for({"anyOf": schemas.predict_bodies(versions[max(versions)])})
        for name, versions in server.calls.loaded().items()
    }


@pytest.mark.parametrize(("model", "body", "taken"), ENTRIES)
def test_the_schema_takes_what_the_server_takes(rest, validators, model, body, taken):
    assert validators[model].is_valid(body) is taken
    assert (rest.predict(model, body).status_code == 200) is taken


@pytest.mark.parametrize("value", [-129, 128, 1 << 31, "x", 0.5])
def test_a_small_integer_is_described_by_its_range(validators, value):
    assert not validators["kinds"].is_valid({"signature_name": "echo_int8", "inputs": value})


def test_signatures_that_json_cannot_feed_are_left_out(server):
    signatures = server.calls.loaded()["kinds"][1]
    titles = {schema["title"].split(",")[0] for schema in schemas.predict_bodies(signatures)}
    assert set(signatures) - titles >= {"echo_float16", "echo_complex64", "constant"}
    assert {"two", "text", "echo_int8"} <= titles


EXAMPLES = [{"x": 1.5}, {"x": [1.5]}, {"x": 1}, {}, {"x": {"b64": "AAAA"}}, {"x": None}, 3, {"x": [1.5, "a"]}]


@pytest.mark.parametrize(("verb", "example"), list(itertools.product(["regress", "classify"], EXAMPLES)))
def test_examples_that_the_schema_refuses_the_server_refuses(server, rest, verb, example):
    signatures = server.calls.loaded()["tf1"][123]
    schema = schemas.examples_body(signatures, f"tensorflow/serving/{verb}")
    name = {"regress": "regress_x", "classify": "classify_x"}[verb]
    body = {"signature_name": name, "examples": [example]}
    answer = requests.post(f"{rest.root}/v1/models/tf1:{verb}", json=body, timeout=30)
    if not jsonschema_rs.validator_for(schema).is_valid(body):
        assert answer.status_code == 400
    if answer.ok:
        assert jsonschema_rs.validator_for(schema).is_valid(body)


def test_no_signature_no_body(server):
    signatures = server.calls.loaded()["scale"][2]
    assert schemas.examples_body(signatures, "tensorflow/serving/regress") is None
