import json

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import input_pb2

from serving.calls.classify import Classified
from serving.errors import InvalidArgumentError
from serving.rest_json import examples
from serving.rest_json.predict_request import parse


def read(body):
    return examples.input_of(parse(body.encode() if isinstance(body, str) else body))


def features(body):
    """name -> (kind, values) of the first example."""
    (example,) = read(body).example_list.examples
    found = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        found[name] = (kind, list(getattr(feature, kind).value) if kind else [])
    return found


def refused(body):
    with pytest.raises(InvalidArgumentError) as error:
        read(body)
    return error.value.message


@pytest.mark.parametrize(
    ("value", "feature"),
    [
        ('"a"', ("bytes_list", [b"a"])),
        ('{"b64": "/w=="}', ("bytes_list", [b"\xff"])),
        ('["a", {"b64": "/w=="}]', ("bytes_list", [b"a", b"\xff"])),
        ("1.5", ("float_list", [1.5])),
        ("2.0", ("float_list", [2.0])),
        ("1e2", ("float_list", [100.0])),
        ("[Infinity, 1e300]", ("float_list", [np.inf, np.inf])),
        ("18446744073709551616", ("float_list", [2.0**64])),
        ("2", ("int64_list", [2])),
        ("[true, false, 7]", ("int64_list", [1, 0, 7])),
        ("[]", (None, [])),
    ],
)
def test_the_kind_of_a_feature_is_that_of_its_values(value, feature):
    assert features(f'{{"examples": [{{"x": {value}}}]}}') == {"x": feature}


def test_of_a_repeated_feature_the_last_counts():
    assert features('{"examples": [{"x": 1, "x": [2.5]}]}') == {"x": ("float_list", [2.5])}


def test_a_feature_whose_name_is_not_utf_8_is_passed_over():
    assert features(b'{"examples": [{"\x80": [1.5], "x": 2, "\xed\xa0\x80": "a"}]}') == {"x": ("int64_list", [2])}
    assert refused(b'{"examples": [{"\x80": null}]}').endswith("has element with unexpected JSON type: Null")


def test_a_context_comes_beside_the_examples():
    expected = """
        example_list_with_context {
          examples { features { feature { key: "x" value { int64_list { value: 1 } } } } }
          context { features { feature { key: "c" value { bytes_list { value: "u" } } } } }
        }"""
    assert read('{"context": {"c": "u"}, "examples": [{"x": 1}]}') == text_format.Parse(expected, input_pb2.Input())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("{}", "JSON Value: {} When method is classify, key 'examples' is expected and was not found"),
        (
            '{"examples": 1}',
            "JSON Value: {\n    \"examples\": 1\n} Expecting 'examples' value to be an list/array",
        ),
        ('{"examples": []}', "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array"),
        ('{"examples": [1]}', "Example must be JSON object but got JSON Number"),
        ('{"context": [], "examples": [{}]}', "Example must be JSON object but got JSON Array"),
        ('{"examples": [{"x": null}]}', "Feature: x has element with unexpected JSON type: Null"),
        ('{"examples": [{"x": [[1]]}]}', "Feature: x has element with unexpected JSON type: Array"),
        ('{"examples": [{"x": {"a": 1}}]}', "Feature: x has element with unexpected JSON type: Object"),
        ('{"examples": [{"x": [10, 10.0]}]}', "Unexpected element type in feature: x expecting type: int64"),
        ('{"examples": [{"x": [1.5, "a"]}]}', "Unexpected element type in feature: x expecting type: float"),
        ('{"examples": [{"x": ["a", true]}]}', "Unexpected element type in feature: x expecting type: bytes"),
        (
            '{"examples": [{"x": 9223372036854775808}]}',
            "Feature: x has uint64_t element. Only int64_t is supported.",
        ),
        ('{"examples": [{"x": {"b64": "?"}}]}', "Unable to base64 decode"),
    ],
)
def test_what_is_no_example_is_refused_with_the_stock_text(body, text):
    assert refused(body) == text


def test_classes_are_pairs_of_label_and_score():
    labels = np.array([[b"a", b"\xc3\xa9"]], object)
    found = examples.classified(Classified(labels, np.float32([[0.5, 1]])))
    assert found == '{\n    "results": [[["a", 0.5], ["é", 1.0]]\n    ]\n}'.encode()


def test_absent_labels_are_empty_and_absent_scores_are_zero():
    found = json.loads(examples.classified(Classified(None, np.float32([[0.5], [2]]))))
    assert found == {"results": [[["", 0.5]], [["", 2.0]]]}
    found = json.loads(examples.classified(Classified(np.array([[b"a"]], object), None)))
    assert found == {"results": [[["a", 0.0]]]}


def test_regressions_are_numbers():
    assert examples.regressed(np.float32([2.5, 3])) == b'{\n    "results": [2.5, 3.0]\n}'


def test_no_results_are_an_error():
    with pytest.raises(InvalidArgumentError, match=r"^Cannot convert empty ClassificationResults to JSON$"):
        examples.classified(Classified(None, np.zeros((0, 2), np.float32)))
    with pytest.raises(InvalidArgumentError, match=r"^Cannot convert empty RegressionResults to JSON$"):
        examples.regressed(np.zeros(0, np.float32))
