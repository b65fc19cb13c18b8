"""Over real sockets, with the stock stubs."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
)

from serving.errors import Code
from serving.grpc_api import GRPC_STATUS, LONGEST_TEXT, shortened
from tests.serving import exports
from tests.serving.asking import predict_request, refused

X = {"x": np.float32([[1], [2]])}
A, B = np.float32([[1, 2]]), np.int64([[3, 4]])


def test_predict_answers_with_the_highest_version_and_says_which(ask):
    response = ask.prediction.Predict(predict_request("scale", X), timeout=30)
    assert list(response.outputs["y"].float_val) == [3, 6]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("scale", 2, "serving_default")
    assert spec.WhichOneof("version_choice") == "version"


def test_a_version_or_a_label_can_be_asked_for(ask):
    assert ask.predict("scale", X, version=1)["y"].tolist() == [[2], [4]]
    response = ask.prediction.Predict(predict_request("scale", X, label="stable"), timeout=30)
    assert response.model_spec.version.value == 1
    assert response.model_spec.WhichOneof("version_choice") == "version"


@pytest.mark.parametrize("dtype", exports.ECHOED)
def test_every_dtype_goes_through(ask, dtype):
    array = (
        np.array([b"\xff", b""], object) if dtype == "string" else np.ones((2, 1), getattr(tf, dtype).as_numpy_dtype)
    )
    found = ask.predict("kinds", {"x": tf.make_tensor_proto(array)}, signature=f"echo_{dtype}")["y"]
    assert found.tolist() == array.tolist()


def test_declared_shapes_are_not_checked(ask):
    assert ask.predict("scale", {"x": np.float32([1, 2, 3])})["y"].tolist() == [3, 6, 9]


def test_an_output_filter_picks_outputs(ask):
    assert list(ask.predict("kinds", {"a": A, "b": B}, signature="two", output_filter=["twice"])) == ["twice"]


def test_defaults_of_the_signature_fill_absent_inputs(ask):
    assert ask.predict("kinds", {"a": A}, signature="defaults")["twice"].tolist() == [[20, 40]]


def test_a_signature_for_classify_or_regress_can_be_predicted(ask):
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.append(3)
    found = ask.predict("tf1", {"inputs": np.array([example.SerializeToString()], object)}, signature="regress_x")
    assert found["outputs"].tolist() == [[3.5]]


def test_fields_that_have_no_meaning_here_are_ignored(ask):
    request = predict_request("scale", X)
    request.MergeFromString(b"\x32\x03abc" + b"\x9a\x06\x01x")  # client_id, and field 99
    assert ask.prediction.Predict(request, timeout=30).outputs["y"].float_val == [3, 6]


def tensor(**fields):
    return tensor_pb2.TensorProto(dtype=1, tensor_shape={"dim": [{"size": 2}]}, **fields)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (predict_pb2.PredictRequest(), ("INVALID_ARGUMENT", "Missing ModelSpec")),
        (predict_request("", X), ("INVALID_ARGUMENT", "ModelSpec has no name specified.")),
        (predict_request("nope", X), ("NOT_FOUND", "Servable not found for request: Latest(nope)")),
        (predict_request("scale", X, version=7), ("NOT_FOUND", "Servable not found for request: Specific(scale, 7)")),
        (
            predict_request("scale", X, label="gone"),
            ("NOT_FOUND", "Servable not found for request: Specific(scale, 9)"),
        ),
        (predict_request("scale", X, label="no"), ("INVALID_ARGUMENT", "Unrecognized servable version label: no")),
        (
            predict_request("kinds", X, label="stable"),
            ("INVALID_ARGUMENT", "Unrecognized servable version label: stable"),
        ),
        (predict_request("scale", X, signature="no"), ("FAILED_PRECONDITION", 'Serving signature key "no" not found.')),
        (
            predict_request("kinds", {"a": A}, signature="two"),
            (
                "INVALID_ARGUMENT",
                "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing "
                "but required: {b}.",
            ),
        ),
        (
            predict_request("kinds", {"a": A, "c": B}, signature="two"),
            (
                "INVALID_ARGUMENT",
                "Signature input alias: b(feed name: two_b:0) not found in request and no default value "
                "provided. Inputs expected to be in the request {a,c}, or default input alias set: ",
            ),
        ),
        (
            predict_request("kinds", {"a": A, "c": B}, signature="defaults"),
            ("INVALID_ARGUMENT", "Inputs contains invalid name. Used request inputs: a, request input: a,c"),
        ),
        (
            predict_request("scale", {"x": tensor(tensor_content=b"abc")}),
            ("INVALID_ARGUMENT", "tensor parsing error: x"),
        ),
        (
            predict_request("scale", X, output_filter=["z"]),
            (
                "INVALID_ARGUMENT",
                "output tensor alias not found in signature: z Outputs expected to be in the set {y}.",
            ),
        ),
        (
            predict_request("scale", X, output_filter=["y", "y"]),
            ("INVALID_ARGUMENT", "duplicate output tensor alias: y"),
        ),
        (
            predict_request("scale", {"x": np.float64([[1]])}),
            ("INVALID_ARGUMENT", "Expects arg[0] to be float but double is provided"),
        ),
    ],
)
def test_a_predict_that_does_not_fit_is_refused_with_the_stock_text(ask, request_, status):
    assert refused(ask.prediction.Predict, request_, timeout=30) == status


def test_a_shape_that_does_not_fit_is_the_kernels_error(ask):
    code, text = refused(ask.predict, "kinds", {"x": np.zeros((1, 4), np.float32)}, signature="matrix")
    assert code == "INVALID_ARGUMENT"
    assert "[1,4]" in text


def test_a_run_longer_than_the_deadline_ends_with_it_and_the_server_goes_on(ask):
    request = predict_request("kinds", {"steps": np.int32(1 << 30)}, signature="steps")
    assert refused(ask.prediction.Predict, request, timeout=0.2)[0] == "DEADLINE_EXCEEDED"
    assert ask.predict("scale", X)["y"].tolist() == [[3], [6]]


def test_long_texts_are_cut():
    assert shortened("a" * LONGEST_TEXT) == "a" * LONGEST_TEXT
    assert shortened("a" * (LONGEST_TEXT + 1)) == "a" * LONGEST_TEXT + "...TRUNCATED"


def test_a_long_text_is_cut_on_the_wire(ask):
    code, text = refused(ask.predict, "m" * 2000, X)
    assert (code, len(text)) == ("NOT_FOUND", LONGEST_TEXT + len("...TRUNCATED"))


def test_large_messages_pass(ask):
    assert ask.predict("scale", {"x": np.ones((3_000_000, 1), np.float32)})["y"].shape == (3_000_000, 1)


def test_metadata_has_the_signatures_of_the_file(ask, written):
    response = ask.metadata("scale")
    assert (response.model_spec.name, response.model_spec.version.value) == ("scale", 2)
    assert not response.model_spec.signature_name
    packed = response.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = get_model_metadata_pb2.SignatureDefMap()
    packed.Unpack(signatures)
    assert set(signatures.signature_def) == {"serving_default", "__saved_model_init_op"}
    assert signatures.signature_def["serving_default"].inputs["x"].name == "serving_default_x:0"
    assert [d.size for d in signatures.signature_def["serving_default"].inputs["x"].tensor_shape.dim] == [-1, 1]


def test_metadata_of_a_label(ask):
    assert ask.metadata("scale", label="stable").model_spec.version.value == 1


@pytest.mark.parametrize(
    ("model", "fields", "status"),
    [
        ("nope", [], ("INVALID_ARGUMENT", "GetModelMetadataRequest must specify at least one metadata_field")),
        ("nope", ["x"], ("INVALID_ARGUMENT", "Metadata field x is not supported")),
        ("nope", ["signature_def"], ("NOT_FOUND", "Servable not found for request: Latest(nope)")),
    ],
)
def test_metadata_that_is_not_there_is_refused(ask, model, fields, status):
    assert refused(ask.metadata, model, fields) == status


def test_metadata_needs_a_model_spec(ask):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    assert refused(ask.prediction.GetModelMetadata, request) == ("INVALID_ARGUMENT", "Missing ModelSpec")


def test_status_has_all_versions_highest_first(ask):
    assert ask.status("scale") == {2: 30, 1: 30}
    assert ask.status("scale", version=1) == {1: 30}


def test_status_does_not_look_at_labels(ask):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "scale"
    request.model_spec.version_label = "no such label"
    assert len(ask.model.GetModelStatus(request).model_version_status) == 2


def test_status_of_what_was_never_seen_is_not_found(ask):
    assert refused(ask.status, "nope") == ("NOT_FOUND", "Could not find any versions of model nope")
    assert refused(ask.status, "scale", version=9) == ("NOT_FOUND", "Could not find version 9 of model scale")
    assert refused(ask.model.GetModelStatus, get_model_status_pb2.GetModelStatusRequest()) == (
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
    )


def test_a_reload_without_a_list_is_refused(ask):
    assert refused(ask.model.HandleReloadConfigRequest, model_management_pb2.ReloadConfigRequest()) == (
        "INVALID_ARGUMENT",
        "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is "
        "currently supported",
    )


def test_services_that_are_not_offered_are_unimplemented(ask):
    call = ask.channel.unary_unary("/tensorflow.serving.SessionService/SessionRun")
    assert refused(call, b"", timeout=30)[0] == "UNIMPLEMENTED"


def test_bytes_that_are_no_message_are_an_error_and_the_next_call_is_answered(ask):
    call = ask.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError):
        call(b"\xff\xff\xff", timeout=30)
    assert ask.predict("scale", X)["y"].tolist() == [[3], [6]]


def test_the_table_of_codes_is_complete():
    assert set(GRPC_STATUS) == set(Code)
    assert all(status.value[0] == int(code) for code, status in GRPC_STATUS.items())
