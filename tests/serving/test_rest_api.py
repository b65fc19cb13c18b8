"""Over real sockets, with requests and with raw bytes."""

import gzip
import json
import math
import socket

import numpy as np
import pytest
import requests

from serving.http_body import LARGEST_UNPACKED

MALFORMED = "Malformed request: "


def raw(port, text):
    """What the server sends to these bytes, until it closes."""
    with socket.create_connection(("localhost", port), timeout=30) as sock:
        sock.sendall(text)
        parts = []
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"instances": [[1.0], [2.0]]}, {"predictions": [[3.0], [6.0]]}),
        ({"instances": [1.0, 2.0]}, {"predictions": [3.0, 6.0]}),
        ({"instances": [{"x": [1.0]}]}, {"predictions": [[3.0]]}),
        ({"inputs": [[1.0]]}, {"outputs": [[3.0]]}),
        ({"inputs": {"x": [1, 2]}, "signature_name": ""}, {"outputs": [3.0, 6.0]}),
        ({"inputs": 2}, {"outputs": 6.0}),
    ],
)
def test_predict_in_rows_and_columns(rest, body, answer):
    response = rest.predict("scale", body)
    assert (response.status_code, response.json()) == (200, answer)
    assert response.headers["Content-Type"] == "application/json"


def test_a_version_or_a_label_can_be_asked_for(rest):
    for of in ("/versions/1", "/labels/stable"):
        assert rest.predict("scale", {"inputs": [1]}, of).json() == {"outputs": [2.0]}


def test_several_inputs_and_outputs_have_names(rest):
    body = {"signature_name": "two", "instances": [{"a": [1, 2], "b": [3, 4]}]}
    assert rest.predict("kinds", body).json() == {"predictions": [{"sum": [4.0, 6.0], "twice": [6, 8]}]}
    body = {"signature_name": "two", "inputs": {"a": [[1, 2]], "b": [[3, 4]], "extra": 1}}
    assert rest.predict("kinds", body).json() == {"outputs": {"sum": [[4.0, 6.0]], "twice": [[6, 8]]}}


def test_strings_and_bytes(rest):
    body = {"signature_name": "text", "instances": ["é", {"b64": "/w=="}]}
    response = rest.predict("kinds", body)
    assert b'"shout": "\xff!"' in response.content  # no UTF-8: as it is
    first = rest.predict("kinds", {"signature_name": "text", "instances": ["é"]}).json()["predictions"][0]
    assert first == {"raw_bytes": {"b64": "w6k="}, "shout": "é!"}


def test_numbers_that_json_does_not_have(rest):
    response = rest.predict("scale", b'{"instances": [NaN, -Infinity, Inf]}')
    assert b"[NaN, -Infinity, Infinity\n" in response.content
    assert math.isnan(response.json()["predictions"][0])


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint8", "uint32", "uint64", "float32", "float64"]
)
def test_every_dtype_with_a_json_form_goes_through(rest, dtype):
    body = {"signature_name": f"echo_{dtype}", "inputs": [[1, 2]]}
    assert np.array_equal(rest.predict("kinds", body).json()["outputs"], [[1, 2]])
    assert rest.predict("kinds", {"signature_name": "echo_bool", "inputs": True}).json() == {"outputs": True}


@pytest.mark.parametrize(
    ("model", "of", "body", "status", "text"),
    [
        ("nope", "", {"instances": [1]}, 404, "Servable not found for request: Latest(nope)"),
        ("scale", "/versions/9", {"instances": [1]}, 404, "Servable not found for request: Specific(scale, 9)"),
        ("scale", "/labels/gone", {"instances": [1]}, 404, "Servable not found for request: Specific(scale, 9)"),
        ("scale", "/labels/no", {"instances": [1]}, 400, "Unrecognized servable version label: no"),
        ("scale", "", b"", 400, "JSON Parse error: The document is empty"),
        ("nope", "", b"{", 400, "JSON Parse error: Missing a name for object member. at offset: 1"),  # before the model
        ("scale", "", {"signature_name": "no"}, 400, 'Serving signature name: "no" not found in signature def'),
        ("scale", "", {}, 400, "Missing 'inputs' or 'instances' key"),
        ("kinds", "", {"signature_name": "constant"}, 400, "Failed to get input map for signature: constant"),
        (
            "kinds",
            "",
            {"signature_name": "two", "inputs": {"a": [1]}},
            400,
            "Missing named input: b in 'inputs' object.",
        ),
        (
            "kinds",
            "",
            {"signature_name": "defaults", "inputs": {"a": [1]}},
            400,
            "Missing named input: b in 'inputs' object.",
        ),
        ("kinds", "", {"signature_name": "total", "instances": [1]}, 400, "Tensor name: y has no shape information "),
        (
            "kinds",
            "",
            {"signature_name": "uneven", "instances": [1, 2]},
            400,
            "Tensor name: first has inconsistent batch size: 1 expecting: 2",
        ),
        (
            "kinds",
            "",
            {"signature_name": "echo_float16", "inputs": [1]},
            501,
            "Conversion of JSON Value: 1 to type: half",
        ),
    ],
)
def test_a_predict_that_does_not_fit_is_refused_with_the_stock_text(rest, model, of, body, status, text):
    assert rest.error(model, body, of) == (status, text)


def test_errors_are_pretty_and_escaped(rest):
    response = rest.predict("scale", {"signature_name": "no"})
    assert response.content == (b'{\n    "error": "Serving signature name: \\"no\\" not found in signature def"\n}')


def test_long_errors_are_not_cut(rest):
    assert len(rest.error("m" * 2000, {"instances": [1]})[1]) > 2000


def test_the_kernels_error_is_400(rest):
    status, text = rest.error("kinds", {"signature_name": "matrix", "instances": [[1, 2, 3, 4]]})
    assert status == 400
    assert "[1,4]" in text


def test_status_is_printed_with_strings_for_numbers_and_all_fields(rest):
    entry = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert rest.get("/v1/models/scale").json() == {
        "model_version_status": [{"version": "2", **entry}, {"version": "1", **entry}]
    }
    assert rest.get("/v1/models/scale/versions/1").json() == {"model_version_status": [{"version": "1", **entry}]}


def test_status_of_a_label_is_that_of_all_versions(rest):
    assert len(rest.get("/v1/models/scale/labels/no_such").json()["model_version_status"]) == 2


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/v1/models/nope", "Could not find any versions of model nope"),
        ("/v1/models/scale/versions/9", "Could not find version 9 of model scale"),
        ("/v1/models/scale?x=1", "Could not find any versions of model scale?x=1"),
        ("/v1/models/nope/metadata", "Servable not found for request: Latest(nope)"),
    ],
)
def test_what_is_not_there_is_404(rest, path, text):
    response = rest.get(path)
    assert (response.status_code, response.json()) == (404, {"error": text})


def test_metadata_is_printed_as_the_stock_server_does(rest):
    dim = [{"size": "-1", "name": ""}, {"size": "1", "name": ""}]
    shape = {"dim": dim, "unknown_rank": False}
    assert rest.get("/v1/models/scale/labels/stable/metadata").json() == {
        "model_spec": {"name": "scale", "signature_name": "", "version": "1"},
        "metadata": {
            "signature_def": {
                "signature_def": {
                    "serving_default": {
                        "inputs": {"x": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "serving_default_x:0"}},
                        "outputs": {
                            "y": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "StatefulPartitionedCall:0"}
                        },
                        "method_name": "tensorflow/serving/predict",
                        "defaults": {},
                    },
                    "__saved_model_init_op": {
                        "inputs": {},
                        "outputs": {
                            "__saved_model_init_op": {
                                "dtype": "DT_INVALID",
                                "tensor_shape": {"dim": [], "unknown_rank": True},
                                "name": "NoOp",
                            }
                        },
                        "method_name": "",
                        "defaults": {},
                    },
                }
            }
        },
    }


def test_the_shape_of_rank_0_has_no_dimensions(rest):
    signatures = rest.get("/v1/models/kinds/metadata").json()["metadata"]["signature_def"]["signature_def"]
    assert signatures["scalar"]["inputs"]["x"]["tensor_shape"] == {"dim": [], "unknown_rank": False}
    assert signatures["echo_int8"]["inputs"]["x"]["tensor_shape"] == {"dim": [], "unknown_rank": True}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "GET"])
def test_other_methods_are_malformed(rest, method):
    response = requests.request(method, rest.root + "/v1/models/m:predict", timeout=30)
    assert (response.status_code, response.json()) == (400, {"error": f"{MALFORMED}{method} /v1/models/m:predict"})


def test_head_is_malformed_too(rest):
    assert requests.head(rest.root + "/v1/models/scale", timeout=30).status_code == 400


def test_a_path_outside_v1_is_a_page(rest):
    response = rest.get("/")
    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("method", [b"TRACE", b"PROPFIND", b"FOO"])
def test_methods_unknown_to_http_are_501(server, rest, method):
    answer = raw(server.rest_port, method + b" /v1/models/scale HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert rest.get("/v1/models/scale").status_code == 200


def test_bytes_that_are_no_http_are_refused_and_the_next_request_is_answered(server, rest):
    assert raw(server.rest_port, b"\x16\x03\x01 garbage\r\n\r\n").startswith(b"HTTP/1.1 ")
    assert rest.get("/v1/models/scale").status_code == 200


@pytest.mark.parametrize(("origin", "status"), [("http://a", 200), ("https://a", 200), ("a", 400), (None, 400)])
def test_preflight_wants_an_origin(rest, origin, status):
    headers = {"Origin": origin} if origin else {}
    response = requests.options(rest.root + "/v1/models/scale:predict", headers=headers, timeout=30)
    assert (response.status_code, response.content) == (status, b"")
    assert "Access-Control-Allow-Origin" not in response.headers


def test_the_content_type_of_a_request_is_not_looked_at(rest):
    body = json.dumps({"inputs": [1]}).encode()
    response = rest.post("/v1/models/scale:predict", body, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert response.json() == {"outputs": [3.0]}


def test_a_gzip_body_is_unpacked(rest):
    body = gzip.compress(json.dumps({"inputs": [1]}).encode())
    response = rest.post("/v1/models/scale:predict", body, **{"Content-Encoding": "gzip"})
    assert response.json() == {"outputs": [3.0]}


CUT = gzip.compress(b'{"inputs": [1]}')[:-3]


@pytest.mark.parametrize("body", [b"no gzip", CUT, b""], ids=["no gzip", "cut", "empty"])
def test_a_gzip_body_that_cannot_be_unpacked_counts_as_empty(rest, body):
    response = rest.post("/v1/models/scale:predict", body, **{"Content-Encoding": "gzip"})
    assert response.json() == {"error": "JSON Parse error: The document is empty"}


def test_a_gzip_bomb_counts_as_empty(rest):
    body = gzip.compress(b" " * (LARGEST_UNPACKED + 1))
    response = rest.post("/v1/models/scale:predict", body, **{"Content-Encoding": "gzip"})
    assert response.json() == {"error": "JSON Parse error: The document is empty"}


def test_deep_json_is_answered(rest):
    deep = b"[" * 500_000 + b"]" * 500_000
    assert rest.predict("scale", b'{"unknown": ' + deep + b', "inputs": [1]}').json() == {"outputs": [3.0]}
    status, _text = rest.error("scale", b'{"inputs": ' + deep + b"}")
    assert status == 400


def test_a_connection_is_kept_and_requests_may_come_in_a_pipe(server):
    one = b"GET /v1/models/scale HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /v1/models/nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw(server.rest_port, one + one + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.count(b"HTTP/1.1 404 Not Found") == 1


def test_http_listens_on_both_ip_versions(server):
    for address in ("127.0.0.1", "[::1]"):
        assert requests.get(f"http://{address}:{server.rest_port}/v1/models/scale", timeout=30).ok


def test_a_client_that_goes_away_leaves_the_server_as_it_was(server, rest):
    with socket.create_connection(("localhost", server.rest_port), timeout=30) as sock:
        sock.sendall(b"POST /v1/models/scale:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert rest.predict("scale", {"inputs": [1]}).json() == {"outputs": [3.0]}


@pytest.mark.parametrize("text", [b"\xff", "\U0001d54b".encode() * 100, b"a" + "\U0001d54b".encode() * 100])
def test_an_error_that_quotes_a_callers_bytes_is_utf_8(rest, text):
    answer = rest.post("/v1/models/scale:predict", b'{"instances": [], "' + text + b'": 1}')
    assert answer.status_code == 400
    assert answer.content.decode("utf-8").startswith('{\n    "error": "')
    assert json.loads(answer.content)["error"]
