"""Any bytes on either face: always a well-formed answer, and the next good request is answered."""

import json

import grpc
import numpy as np
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import predict_pb2

from tests.serving.asking import predict_request

QUICK = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["x", "a", "b", "b64"]), inner, max_size=3)
    ),
    max_leaves=12,
)
GOOD = predict_request("scale", {"x": np.float32([[1]])}).SerializeToString()


def good_answers(ask, rest):
    assert ask.predict("scale", {"x": np.float32([[1]])})["y"].tolist() == [[3]]
    assert rest.predict("scale", {"inputs": [1]}).json() == {"outputs": [3.0]}


@QUICK
@given(
    st.binary(max_size=300)
    | st.builds(lambda at, junk: GOOD[:at] + junk, st.integers(0, len(GOOD)), st.binary(max_size=20))
)
def test_any_bytes_as_a_grpc_request(ask, rest, content):
    call = ask.channel.unary_unary(
        "/tensorflow.serving.PredictionService/Predict", response_deserializer=predict_pb2.PredictResponse.FromString
    )
    try:
        code = call(content, timeout=30) and grpc.StatusCode.OK
    except grpc.RpcError as error:
        code = error.code()
    assert code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    good_answers(ask, rest)


@QUICK
@given(st.sampled_from(["predict", "classify", "regress"]), st.binary(max_size=100))
@example("predict", b'{"instances": [{"b64": "AA=="}]}')
def test_any_bytes_as_a_rest_body(ask, rest, verb, content):
    response = rest.post(f"/v1/models/scale:{verb}", content)
    assert response.status_code == 400
    assert response.json()["error"]


@QUICK
@given(
    st.sampled_from(["instances", "inputs", "examples"]), JSON, st.sampled_from(["two", "text", "scalar", "echo_int8"])
)
def test_any_json_as_a_rest_body(ask, rest, key, value, signature):
    body = json.dumps({"signature_name": signature, key: value}).encode("utf-8", "surrogatepass")
    for verb in ("predict", "regress"):
        response = rest.post(f"/v1/models/kinds:{verb}", body)
        assert response.status_code in (200, 400)
        assert response.content.startswith(b"{\n")
    good_answers(ask, rest)


@QUICK
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=40))
def test_any_path(ask, rest, path):
    response = requests.get(f"{rest.root}/v1/{path}", timeout=30)
    assert response.status_code in (200, 400, 404)
