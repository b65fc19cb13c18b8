"""What the server is fuzzed with: messages, JSON and bytes at random, for every call of both faces.

The strategies are hypothesis'; `make test` draws a small share from the same ones."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from benchmarks.serving.soak.messages import Messages
from serving import tensor_proto

PREDICTION, MODEL = "/tensorflow.serving.PredictionService/", "/tensorflow.serving.ModelService/"
RELOAD = MODEL + "HandleReloadConfigRequest"
METHODS: dict[str, Any] = {
    PREDICTION + "Predict": predict_pb2.PredictRequest,
    PREDICTION + "Classify": classification_pb2.ClassificationRequest,
    PREDICTION + "Regress": regression_pb2.RegressionRequest,
    PREDICTION + "MultiInference": inference_pb2.MultiInferenceRequest,
    PREDICTION + "GetModelMetadata": get_model_metadata_pb2.GetModelMetadataRequest,
    MODEL + "GetModelStatus": get_model_status_pb2.GetModelStatusRequest,
    RELOAD: model_management_pb2.ReloadConfigRequest,
}
VERBS = ("predict", "classify", "regress")
SIGNATURES = ["serving_default", "two", "text", "scalar", "total", "uneven", "matrix", "count", "constant", "defaults"]
SIGNATURES += ["echo_int8", "echo_float32", "echo_float16", "echo_bool", "echo_string", "echo_uint64", "echo_complex64"]
SIGNATURES += ["regress_x", "classify_x", "scores_only"]
MODELS = ["scale", "kinds", "tf1"]
ALIASES = ["x", "a", "b", "s", "by", "y", "inputs", "outputs", "scores", "signature_def"]
OTHERS = ["tensorflow/serving/classify", "tensorflow/serving/regress", "tensorflow/serving/predict", "stable", ""]
WORDS = [*MODELS, *SIGNATURES, *ALIASES, *OTHERS, "tensorflow", "/absent", "relative/path", "sequence_id"]
MESSAGES = Messages(WORDS)


@dataclass(frozen=True)
class GrpcInput:
    """Bytes for a method."""

    method: str
    content: bytes


@dataclass(frozen=True)
class RestInput:
    """A body for a path."""

    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class RawInput:
    """Bytes for the HTTP port."""

    content: bytes


@dataclass(frozen=True)
class DescribedInput:
    """A request made from the server's description. send: gives the answer's status, and the complaint about it."""

    case: Any
    send: Callable[[], tuple[str, str | None]] = field(compare=False, repr=False)


def grpc_messages(method: str) -> st.SearchStrategy[GrpcInput]:
    """Messages of the method's type."""
    found = MESSAGES.of(METHODS[method].DESCRIPTOR)
    return found.map(lambda message: GrpcInput(method, message.SerializeToString()))


def grpc_bytes(method: str) -> st.SearchStrategy[GrpcInput]:
    """A good message with bytes changed, or bytes alone."""
    mutated = st.sampled_from([message.SerializeToString() for message in good_messages(method)]).flatmap(mutations)
    return (mutated | st.binary(max_size=200)).map(lambda content: GrpcInput(method, content))


@lru_cache
def good_messages(method: str) -> list[Any]:
    """Messages of the method that are answered, or near it."""
    request = METHODS[method]()
    if method == RELOAD:
        entry = request.config.model_config_list.config.add(name="scale", base_path="/m", model_platform="tensorflow")
        entry.version_labels["stable"] = 1
        entry.model_version_policy.specific.versions.extend([1, 2])
        return [request]
    if method.endswith("MultiInference"):
        for kind in ("classify", "regress"):
            task = request.tasks.add(method_name=f"tensorflow/serving/{kind}")
            task.model_spec.name, task.model_spec.signature_name = "tf1", f"{kind}_x"
    else:
        request.model_spec.name, request.model_spec.version.value = "tf1", 123
    if method.endswith("GetModelMetadata"):
        request.metadata_field.append("signature_def")
    if method.endswith(("Classify", "Regress")):
        request.model_spec.signature_name = "classify_x" if method.endswith("Classify") else "regress_x"
    if method.endswith(("Classify", "Regress", "MultiInference")):
        features = request.input.example_list.examples.add().features.feature
        features["x"].float_list.value.extend([1.5])
    if not method.endswith("/Predict"):
        return [request]
    found = []
    kinds: list[tuple[str, dict[str, NDArray[Any]]]] = [
        ("two", {"a": np.ones([2, 2], np.float32), "b": np.ones([2, 2], np.int64)}),
        ("text", {"s": np.array([b"a", b"bc"], object)}),
        ("echo_int8", {"x": np.arange(5, dtype=np.int8)}),
        ("echo_complex64", {"x": np.ones([1, 2], np.complex64)}),
    ]
    for signature, inputs in kinds:
        for as_content in (False, signature != "text"):
            one = predict_pb2.PredictRequest()
            one.model_spec.name, one.model_spec.signature_name = "kinds", signature
            for alias, array in inputs.items():
                one.inputs[alias].CopyFrom(tensor_proto.encode(array, as_content))
            found.append(one)
    return found


def mutations(content: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with some of them overwritten, cut out, doubled, or put in."""
    places = st.integers(0, len(content))
    change = st.tuples(places, st.sampled_from(["over", "cut", "twice", "in"]), st.binary(min_size=1, max_size=8))
    return st.lists(change, min_size=1, max_size=4).map(lambda changes: _mutated(content, changes))


def _mutated(content: bytes, changes: list[tuple[int, str, bytes]]) -> bytes:
    for at, how, junk in changes:
        before, after = content[:at], content[at:]
        content = {
            "over": before + junk + after[len(junk) :],
            "cut": before + after[len(junk) :],
            "twice": before + after[: len(junk) * 4] + after,
            "in": before + junk + after,
        }[how]
    return content


NUMBERS = st.integers() | st.floats() | st.sampled_from([0, 1, -1, 1.0, 2.5, 1 << 31, 1 << 63, 1e300, -0.0])
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=6) | st.sampled_from(["", "AA==", *ALIASES])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["x", "a", "b", "s", "b64"]), inner, max_size=3)
    ),
    max_leaves=12,
)
ROWS = st.lists(st.fixed_dictionaries({}, optional={"a": VALUES, "b": VALUES, "x": VALUES}), max_size=3)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": st.sampled_from(SIGNATURES) | LEAVES,
        "instances": VALUES | ROWS,
        "inputs": VALUES,
        "examples": VALUES | ROWS,
        "context": VALUES,
        "other": VALUES,
    },
)
GOOD_BODIES = [
    b'{"signature_name": "two", "instances": [{"a": [1, 2.5], "b": [3, 4]}, {"a": [1e3, -0.0], "b": [5, 6]}]}',
    b'{"signature_name": "text", "inputs": ["a", {"b64": "AAAA"}, "\\u00e4\\ud83d\\ude00\\n"]}',
    b'{"signature_name": "classify_x", "context": {"x": NaN}, "examples": [{"x": [1.5]}, {"x": -Infinity}]}',
    b'{"instances": [[1.0], [2e-3]], "more": {"x": [true, false, null, {}]}}',
]
PATHS = st.builds(
    lambda model, of, verb: f"/v1/models/{model}{of}:{verb}",
    st.sampled_from(MODELS),
    st.sampled_from(["", "", "/versions/1", "/labels/stable", "/versions/99"]),
    st.sampled_from(VERBS),
)


def rest_documents() -> st.SearchStrategy[RestInput]:
    """JSON documents with the keys of the API."""
    bodies = DOCUMENTS.map(lambda document: json.dumps(document).encode("utf-8", "surrogatepass"))
    return st.builds(RestInput, PATHS, bodies)


def rest_bytes() -> st.SearchStrategy[RestInput]:
    """Good bodies with bytes changed, or bytes alone; some packed, some only said to be."""
    bodies = st.sampled_from(GOOD_BODIES).flatmap(mutations) | st.binary(max_size=100)
    plain = st.builds(RestInput, PATHS, bodies)
    packed = bodies.map(lambda body: gzip.compress(body, 1, mtime=0)).flatmap(
        lambda body: st.just(body) | mutations(body)
    )
    gzipped = st.just((("Content-Encoding", "gzip"),))
    return plain | st.builds(RestInput, PATHS, packed | bodies, gzipped)


HEAD = (
    b"POST /v1/models/kinds:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 49\r\nX-Request-Id: 1\r\n"
    b'Content-Type: application/json\r\n\r\n{"signature_name": "total", "inputs": [1.0, 2.0]}'
)
REQUESTS = [
    HEAD,
    HEAD.replace(b"POST", b"GET") + HEAD,
    b"GET /v1/models/scale/versions/1/metadata HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS /v1/models/scale:predict HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n\r\n",
    b"POST /v1/models/scale:predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'7\r\n{"input\r\na\r\ns": [[1]]}\r\n0\r\n\r\n',
    b"HEAD /v1/models/kinds HTTP/1.0\r\n\r\n",
]


def raw_http() -> st.SearchStrategy[RawInput]:
    """Whole HTTP requests with bytes changed, paths of any characters, or bytes alone."""
    paths = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
    lines = paths.map(lambda path: f"GET /v1/models/{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return (st.sampled_from(REQUESTS).flatmap(mutations) | lines | st.binary(max_size=120)).map(RawInput)


def strategies() -> dict[str, st.SearchStrategy[Any]]:
    """All kinds of inputs, by name."""
    found: dict[str, st.SearchStrategy[Any]] = {}
    for method in METHODS:
        name = method.rpartition("/")[2]
        found[f"gRPC {name}, messages"] = grpc_messages(method)
        found[f"gRPC {name}, bytes"] = grpc_bytes(method)
    found["REST, JSON"] = rest_documents()
    found["REST, bytes"] = rest_bytes()
    found["HTTP, bytes"] = raw_http()
    return found
