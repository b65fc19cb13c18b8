"""Who may call, over real sockets of both faces."""

import socket
import threading

import grpc
import numpy as np
import pytest
import requests
from tensorflow_serving.apis import model_management_pb2

from serving.client import ClientError, GrpcClient, RestClient
from serving.errors import Code, ServingError
from serving.protos import HealthCheckRequest, HealthCheckResponse
from serving.server import ModelServer
from tests.serving.asking import Grpc, Rest, predict_request, refused
from tests.serving.test_auth_tokens import BOSS, LATER, WEB, line

X = {"x": np.float32([[1]])}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def metadata(token):
    return (("authorization", f"Bearer {token}"),)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("access") / "tokens"
    path.write_text(line("web", "predict", WEB) + line("boss", "admin", BOSS))
    return path


@pytest.fixture(scope="module")
def guarded(repository, file, tmp_path_factory):
    """A server that wants tokens."""
    monitoring = tmp_path_factory.mktemp("monitoring") / "config"
    monitoring.write_text("prometheus_config { enable: true }")
    flags = {
        "model_name": "tf1", "model_base_path": str(repository / "tf1"), "auth_tokens_file": str(file),
        "enable_grpc_healthcheck_service": True, "monitoring_config_file": str(monitoring), "grpc_max_threads": 2,
        "rest_api_enable_cors_support": True,
    }  # fmt: skip
    with ModelServer.on_free_ports(**flags) as running:
        yield running


@pytest.fixture(scope="module")
def reload_request(repository):
    """A reload that changes nothing."""
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.config.add(
        name="tf1", base_path=str(repository / "tf1"), model_platform="tensorflow"
    )
    return request


@pytest.fixture(scope="module")
def stub(guarded):
    return Grpc(f"localhost:{guarded.grpc_port}")


def test_a_token_lets_calls_through_on_both_faces(guarded, stub):
    for token in (WEB, BOSS):
        response = stub.prediction.Predict(predict_request("tf1", X), timeout=30, metadata=metadata(token))
        assert response.outputs["y"].float_val == [2.5]
        answer = Rest(guarded.rest_port).post("/v1/models/tf1:predict", {"inputs": [[1]]}, **bearer(token))
        assert answer.json() == {"outputs": [[2.5]]}


def test_without_one_every_call_is_unauthenticated(guarded, stub):
    request = predict_request("tf1", X)
    assert refused(stub.prediction.Predict, request, timeout=30) == (
        "UNAUTHENTICATED", "No token; expected the header `authorization: Bearer <token>`.",
    )  # fmt: skip
    assert refused(stub.prediction.Predict, request, timeout=30, metadata=metadata("x"))[0] == "UNAUTHENTICATED"
    assert refused(stub.model.GetModelStatus, request, timeout=30)[0] == "UNAUTHENTICATED"
    unknown = stub.channel.unary_unary("/no.such.Service/Method")
    assert refused(unknown, b"", timeout=30)[0] == "UNAUTHENTICATED"
    rest = Rest(guarded.rest_port)
    for path in ("/v1/models/tf1", "/v1/models/nope", "/v1/models/tf1/metadata", "/nowhere"):
        answer = rest.get(path)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="model server"')
        assert answer.json()["error"].startswith("No token; expected")
    answer = rest.post("/v1/models/tf1:predict", {"inputs": [[1]]}, **bearer("x"))
    assert (answer.status_code, answer.json()) == (401, {"error": "The token is not known."})


def test_the_challenge_comes_over_grpc_as_well(stub):
    with pytest.raises(grpc.RpcError) as error:
        stub.prediction.Predict(predict_request("tf1", X), timeout=30)
    assert dict(error.value.trailing_metadata())["www-authenticate"] == 'Bearer realm="model server"'


def test_a_reload_wants_an_admin(stub, reload_request, logged):
    request, reload = reload_request, stub.model.HandleReloadConfigRequest
    assert refused(reload, request, timeout=30) == (
        "UNAUTHENTICATED", "No token; expected the header `authorization: Bearer <token>`.",
    )  # fmt: skip
    assert refused(reload, request, timeout=30, metadata=metadata(WEB)) == (
        "PERMISSION_DENIED", "web has the role predict; this call wants admin.",
    )  # fmt: skip
    assert reload(request, timeout=30, metadata=metadata(BOSS)).status.error_code == 0
    assert "boss calls /tensorflow.serving.ModelService/HandleReloadConfigRequest" in logged()


def test_health_is_open_and_metrics_want_a_token(guarded, stub):
    check = stub.channel.unary_unary(
        "/grpc.health.v1.Health/Check", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    assert check(HealthCheckRequest(), timeout=30).status == 1
    url = f"http://localhost:{guarded.rest_port}/monitoring/prometheus/metrics"
    assert requests.get(url, timeout=30).status_code == 401
    text = requests.get(url, headers=bearer(WEB), timeout=30).text
    assert ':tensorflow:serving:request_count{model_name="",status="UNAUTHENTICATED"}' in text


def test_browsers_learn_that_they_may_send_a_token(guarded):
    url = f"http://localhost:{guarded.rest_port}/v1/models/tf1:predict"
    answer = requests.options(url, headers={"Origin": "http://a"}, timeout=30)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type, Authorization"
    assert answer.headers["Access-Control-Allow-Methods"] == "POST, GET"
    assert requests.post(url, json={}, timeout=30).headers["Access-Control-Allow-Origin"] == "*"


def test_a_refusal_does_not_wait_for_the_body(guarded):
    with socket.create_connection(("localhost", guarded.rest_port), timeout=10) as sock:
        sock.sendall(b"POST /v1/models/tf1:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
        assert sock.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_strangers_who_send_no_message_hold_no_thread(guarded, stub):
    """With two threads for all calls, three calls without a message, and a good one."""
    never = threading.Event()

    def messages():
        never.wait(30)
        yield b""

    method = stub.channel.stream_unary("/tensorflow.serving.PredictionService/Predict")
    strangers = [method.future(messages(), timeout=30) for _ in range(3)]
    try:
        response = stub.prediction.Predict(predict_request("tf1", X), timeout=20, metadata=metadata(WEB))
        assert response.outputs["y"].float_val == [2.5]
        assert {call.code() for call in strangers} == {grpc.StatusCode.UNAUTHENTICATED}
    finally:
        never.set()


def test_our_clients_carry_a_token(guarded):
    grpc_address, url = f"localhost:{guarded.grpc_port}", f"http://localhost:{guarded.rest_port}"
    for make, address in ((GrpcClient, grpc_address), (RestClient, url)):
        with make(address, token=WEB) as client:
            assert client.predict("tf1", X)["y"].tolist() == [[2.5]]
            assert client.status("tf1") == {123: "AVAILABLE"}
        with make(address) as client, pytest.raises(ClientError) as error:
            client.predict("tf1", X)
        assert error.value.code is Code.UNAUTHENTICATED


def test_no_token_is_ever_logged(guarded, stub, reload_request, caplog):
    caplog.set_level(0)
    for token in (WEB, "stranger-token"):
        answer = Rest(guarded.rest_port).post("/v1/models/tf1:predict", {"inputs": [[1]]}, **bearer(token))
        assert answer.status_code in (200, 401)
    assert stub.model.HandleReloadConfigRequest(reload_request, timeout=30, metadata=metadata(BOSS))
    assert caplog.records
    ours = [record for record in caplog.records if record.name.startswith(("serving", "uvicorn"))]
    assert not any(token in record.getMessage() for record in ours for token in (WEB, BOSS, "stranger-token"))


def test_a_token_that_is_added_works_without_a_restart(guarded, file):
    url = f"http://localhost:{guarded.rest_port}/v1/models/nope"
    assert requests.get(url, headers=bearer(LATER), timeout=30).status_code == 401
    with file.open("a") as appended:
        appended.write(line("later", "predict", LATER))
    assert requests.get(url, headers=bearer(LATER), timeout=30).status_code == 404


def test_a_broken_file_ends_the_start(tmp_path, repository):
    path = tmp_path / "tokens"
    path.write_text("# x\nweb predict\n")
    with pytest.raises(ServingError, match=r"tokens:2: 2 words; expected `name role token-hash`"):
        ModelServer.on_free_ports(model_name="tf1", model_base_path=str(repository / "tf1"), auth_tokens_file=str(path))


def test_a_refusal_carries_the_id_of_its_request(guarded, stub):
    answer = Rest(guarded.rest_port).post("/v1/models/tf1:predict", {"inputs": [[1]]}, **{"x-request-id": "mine"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (401, "mine")
    with pytest.raises(grpc.RpcError) as error:
        stub.prediction.Predict(predict_request("tf1", X), timeout=30, metadata=(("x-request-id", "mine"),))
    found = dict(error.value.trailing_metadata())
    assert (found["x-request-id"], "www-authenticate" in found) == ("mine", True)


def test_the_description_of_the_api_wants_a_token_as_well(guarded):
    rest = Rest(guarded.rest_port)
    assert rest.get("/openapi.json").status_code == 401
    found = requests.get(f"{rest.root}/openapi.json", headers=bearer(WEB), timeout=30).json()
    assert "/v1/models/tf1:predict" in found["paths"]
    assert found["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    assert found["security"] == [{"token": []}]
