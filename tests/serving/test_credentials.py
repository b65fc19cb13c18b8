import grpc
import numpy as np
import pytest

from serving.credentials import credentials
from serving.errors import ServingError
from serving.options import ServerOptions
from serving.server import ModelServer
from tests.serving.asking import Rest, predict_request
from tests.serving.certificates import Certificate, quoted

X = {"x": np.float32([[1]])}


@pytest.fixture(scope="module")
def authority():
    return Certificate("authority")


@pytest.fixture(scope="module")
def ours(authority):
    return Certificate("localhost", authority)


@pytest.fixture
def serve(tmp_path, repository, ours):
    """A server with this SSLConfig beside its own key and certificate."""
    running = []

    def start(more="", **flags):
        path = tmp_path / "ssl"
        path.write_text(f"server_key: {quoted(ours.key)} server_cert: {quoted(ours.pem)} {more}")
        flags = {"model_name": "tf1", "model_base_path": str(repository / "tf1"), "ssl_config_file": str(path)} | flags
        server = ModelServer.on_free_ports(**flags)
        server.start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


def predict(address, channel_credentials):
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    channel = grpc.insecure_channel if channel_credentials is None else grpc.secure_channel
    given = () if channel_credentials is None else (channel_credentials,)
    with channel(address, *given) as found:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(found)
        return list(stub.Predict(predict_request("tf1", X), timeout=10).outputs["y"].float_val)


def test_grpc_speaks_tls_and_rest_stays_plain(serve, authority, tmp_path):
    path = tmp_path / "socket"
    server = serve(grpc_socket_path=str(path))
    trusted = grpc.ssl_channel_credentials(authority.pem)
    assert predict(f"localhost:{server.grpc_port}", trusted) == [2.5]
    assert Rest(server.rest_port).predict("tf1", {"inputs": [[1]]}).json() == {"outputs": [[2.5]]}
    for wrong in (None, grpc.ssl_channel_credentials(Certificate("stranger").pem)):
        with pytest.raises(grpc.RpcError) as error:
            predict(f"localhost:{server.grpc_port}", wrong)
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(grpc.RpcError):
        predict(f"unix:{path}", None)


def test_a_client_certificate_is_demanded_when_the_file_says_so(serve, authority):
    server = serve(f"client_verify: true custom_ca: {quoted(authority.pem)}")
    address = f"localhost:{server.grpc_port}"
    known = Certificate("client", authority)
    assert predict(address, grpc.ssl_channel_credentials(authority.pem, known.key, known.pem)) == [2.5]
    stranger = Certificate("stranger")
    for wrong in (
        grpc.ssl_channel_credentials(authority.pem),
        grpc.ssl_channel_credentials(authority.pem, stranger.key, stranger.pem),
    ):
        with pytest.raises(grpc.RpcError) as error:
            predict(address, wrong)
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE


def test_our_client_takes_credentials(serve, authority):
    from serving.client import GrpcClient

    server = serve()
    with GrpcClient(f"localhost:{server.grpc_port}", credentials=grpc.ssl_channel_credentials(authority.pem)) as client:
        assert client.predict("tf1", X)["y"].tolist() == [[2.5]]


def test_without_flags_connections_are_plain():
    assert credentials(ServerOptions()) is None


def test_clients_are_verified_against_the_systems_roots_where_none_are_given(tmp_path, ours):
    path = tmp_path / "ssl"
    path.write_text(f"server_key: {quoted(ours.key)} server_cert: {quoted(ours.pem)} client_verify: true")
    assert credentials(ServerOptions(ssl_config_file=str(path))) is not None


def test_a_file_that_does_not_parse_ends_the_start(tmp_path, repository):
    path = tmp_path / "ssl"
    path.write_text("server_key {")
    flags = {"model_name": "tf1", "model_base_path": str(repository / "tf1"), "ssl_config_file": str(path)}
    with pytest.raises(ServingError, match="Invalid protobuf file"), ModelServer.on_free_ports(**flags):
        pass


def test_a_key_that_is_none_ends_the_start(tmp_path, repository):
    path = tmp_path / "ssl"
    path.write_text('server_key: "no key" server_cert: "no certificate"')
    flags = {"model_name": "tf1", "model_base_path": str(repository / "tf1"), "ssl_config_file": str(path)}
    with pytest.raises(ServingError, match="Failed to BuildAndStart gRPC server"), ModelServer.on_free_ports(**flags):
        pass
