"""Classify, Regress and MultiInference over both faces, on an export in the style of TensorFlow 1."""

import base64

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

from tests.serving.asking import fill, predict_request, refused

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def examples(*values):
    found = []
    for value in values:
        example = tf.train.Example()
        example.features.feature["x"].float_list.value.append(value)
        found.append(example)
    return found


def request(kind, *values, model="tf1", **spec):
    found = kind()
    fill(found.model_spec, model, **spec)
    found.input.example_list.examples.extend(examples(*values))
    return found


def multi(*tasks, values=(1, 4)):
    """tasks: (model, signature, method)."""
    found = inference_pb2.MultiInferenceRequest()
    for model, signature, method in tasks:
        task = found.tasks.add(method_name=method)
        fill(task.model_spec, model, signature=signature)
    found.input.example_list.examples.extend(examples(*values))
    return found


def test_regress_gives_one_number_for_each_example(ask):
    response = ask.prediction.Regress(
        request(regression_pb2.RegressionRequest, 1, 4, signature="regress_x"), timeout=30
    )
    assert [r.value for r in response.result.regressions] == [2.5, 4]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("tf1", 123, "regress_x")


def test_classify_gives_labels_and_scores(ask):
    sent = request(classification_pb2.ClassificationRequest, 1, 4, signature="classify_x")
    found = ask.prediction.Classify(sent, timeout=30).result.classifications
    assert [[(c.label, c.score) for c in one.classes] for one in found] == [
        [("more", 2.5), ("less", -2.5)],
        [("more", 4), ("less", -4)],
    ]


def test_a_context_is_merged_into_each_example(ask):
    sent = regression_pb2.RegressionRequest()
    fill(sent.model_spec, "tf1", signature="regress_x")
    sent.input.example_list_with_context.context.CopyFrom(examples(4)[0])
    sent.input.example_list_with_context.examples.add()
    assert ask.prediction.Regress(sent, timeout=30).result.regressions[0].value == 4


@pytest.mark.parametrize("call", ["Regress", "Classify"])
def test_what_does_not_fit_is_refused_with_the_stock_text(ask, call):
    kind = {"Regress": regression_pb2.RegressionRequest, "Classify": classification_pb2.ClassificationRequest}[call]
    method = getattr(ask.prediction, call)
    good = {"Regress": "regress_x", "Classify": "classify_x"}[call]
    assert refused(method, kind()) == ("INVALID_ARGUMENT", "Missing ModelSpec")
    assert refused(method, request(kind, 1, model="nope")) == (
        "NOT_FOUND",
        "Servable not found for request: Latest(nope)",
    )
    assert refused(method, request(kind, 1, signature="no")) == (
        "INVALID_ARGUMENT",
        "No signature was found with the name: no",
    )
    assert refused(method, request(kind, signature=good)) == ("INVALID_ARGUMENT", "Input is empty.")
    code, text = refused(method, request(kind, 1))
    assert code == "INVALID_ARGUMENT"
    assert text.startswith(("No regression inputs found in", "No classification inputs found in"))


def test_multi_inference_gives_all_results_in_the_order_of_the_tasks(ask):
    sent = multi(("tf1", "classify_x", CLASSIFY), ("tf1", "regress_x", REGRESS), ("tf1", "regress_again", REGRESS))
    found = ask.prediction.MultiInference(sent, timeout=30).results
    assert [one.WhichOneof("result") for one in found] == [
        "classification_result",
        "regression_result",
        "regression_result",
    ]
    assert [one.model_spec.signature_name for one in found] == ["classify_x", "regress_x", "regress_again"]
    assert {one.model_spec.version.value for one in found} == {123}
    assert found[0].classification_result.classifications[1].classes[0].label == "more"
    assert [r.value for r in found[2].regression_result.regressions] == [2.5, 4]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (multi(), ("INVALID_ARGUMENT", "ModelSpec has no name specified.")),
        (multi(("", "regress_x", REGRESS)), ("INVALID_ARGUMENT", "ModelSpec has no name specified.")),
        (multi(("nope", "regress_x", REGRESS)), ("NOT_FOUND", "Servable not found for request: Latest(nope)")),
        (
            multi(("tf1", "regress_x", REGRESS), ("tf1", "regress_x", REGRESS)),
            ("INVALID_ARGUMENT", "Duplicate evaluation of signature: regress_x"),
        ),
        (multi(("tf1", "regress_x", REGRESS), values=()), ("INVALID_ARGUMENT", "Input is empty.")),
    ],
)
def test_multi_inference_that_does_not_fit_is_refused(ask, sent, status):
    assert refused(ask.prediction.MultiInference, sent, timeout=30) == status


def test_regress_over_rest(rest):
    body = {"signature_name": "regress_x", "examples": [{"x": 1.0}, {"x": [4.0]}]}
    assert rest.post("/v1/models/tf1:regress", body).json() == {"results": [2.5, 4.0]}
    body = {"signature_name": "regress_x", "context": {"x": 4.0}, "examples": [{}]}
    assert rest.post("/v1/models/tf1/versions/123:regress", body).json() == {"results": [4.0]}


def test_classify_over_rest(rest):
    body = {"signature_name": "classify_x", "examples": [{"x": 1.0}]}
    assert rest.post("/v1/models/tf1:classify", body).json() == {"results": [[["more", 2.5], ["less", -2.5]]]}
    body["signature_name"] = "scores_only"
    assert rest.post("/v1/models/tf1:classify", body).json() == {"results": [[["", 2.5], ["", -2.5]]]}


def test_a_whole_number_makes_an_int64_feature_that_a_model_of_floats_refuses(rest):
    response = rest.post("/v1/models/tf1:regress", {"signature_name": "regress_x", "examples": [{"x": 2}]})
    assert response.status_code == 400
    assert "Data types don't match" in response.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("nope:regress", {"examples": 1}, 400, "Expecting 'examples' value to be an list/array"),  # before the model
        ("nope:regress", {"examples": [{"x": 1.0}]}, 404, "Servable not found for request: Latest(nope)"),
        ("tf1:classify", {"signature_name": "no", "examples": [{}]}, 400, "No signature was found with the name: no"),
        ("tf1:regress", b"", 400, "JSON Parse error: The document is empty"),
    ],
)
def test_rest_calls_that_do_not_fit_are_refused(rest, path, body, status, text):
    response = rest.post(f"/v1/models/{path}", body)
    assert response.status_code == status
    assert text in response.json()["error"]


@pytest.mark.parametrize("raw", [b"\x85\xff", b"\x85" * 2000])
def test_an_error_of_the_graph_that_quotes_bytes_is_the_callers_on_both_faces(ask, rest, raw):
    sent = predict_request("tf1", {"inputs": np.array([raw], object)}, signature="regress_x")
    code, text = refused(ask.prediction.Predict, sent)
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("Could not parse example input, value: '")
    body = {"signature_name": "regress_x", "inputs": [{"b64": base64.b64encode(raw).decode()}]}
    answer = rest.predict("tf1", body)
    assert answer.status_code == 400
    assert answer.content.decode().count("\ufffd") == len(raw)
