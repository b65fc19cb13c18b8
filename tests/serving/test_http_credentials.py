"""TLS on the HTTP port, asked with requests."""

import ssl

import numpy as np
import pytest
import requests

from serving.client import ClientError, GrpcClient, RestClient
from serving.client_tls import Tls
from serving.errors import Code, ServingError
from serving.http_credentials import http_credentials
from serving.server import ModelServer
from tests.serving.certificates import Certificate, quoted

X = {"x": np.float32([[1]])}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """ca.pem; client.pem and client.key, signed by it; stranger.pem and stranger.key, which are not; two SSLConfigs."""
    root = tmp_path_factory.mktemp("tls")
    authority = Certificate("authority")
    ours = Certificate("localhost", authority)
    (root / "ca.pem").write_bytes(authority.pem)
    for name, made in (("client", Certificate("client", authority)), ("stranger", Certificate("stranger"))):
        (root / f"{name}.pem").write_bytes(made.pem)
        (root / f"{name}.key").write_bytes(made.key)
    config = f"server_key: {quoted(ours.key)} server_cert: {quoted(ours.pem)}"
    (root / "plain").write_text(config)
    (root / "mutual").write_text(f"{config} client_verify: true custom_ca: {quoted(authority.pem)}")
    return root


def serving(repository, config):
    flags = {"ssl_config_file": str(config), "rest_ssl_config_file": str(config)}
    return ModelServer.on_free_ports(model_name="tf1", model_base_path=str(repository / "tf1"), **flags)


@pytest.fixture(scope="module")
def secure(repository, folder):
    with serving(repository, folder / "plain") as running:
        yield running


@pytest.fixture(scope="module")
def mutual(repository, folder):
    with serving(repository, folder / "mutual") as running:
        yield running


def url_of(server):
    return f"https://localhost:{server.rest_port}"


def post(server, **tls):
    return requests.post(f"{url_of(server)}/v1/models/tf1:predict", json={"inputs": [[1]]}, timeout=30, **tls)


def test_https_answers_those_who_trust_it(secure, folder):
    assert post(secure, verify=folder / "ca.pem").json() == {"outputs": [[2.5]]}
    with pytest.raises(requests.exceptions.SSLError):
        post(secure, verify=folder / "stranger.pem")


def test_plain_http_gets_no_answer_and_the_next_call_does(secure, folder):
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"http://localhost:{secure.rest_port}/v1/models/tf1", timeout=30)
    assert post(secure, verify=folder / "ca.pem").ok


def test_a_client_certificate_is_demanded_when_the_file_says_so(mutual, folder):
    known = (str(folder / "client.pem"), str(folder / "client.key"))
    assert post(mutual, verify=folder / "ca.pem", cert=known).json() == {"outputs": [[2.5]]}
    for wrong in (None, (str(folder / "stranger.pem"), str(folder / "stranger.key"))):
        with pytest.raises(requests.exceptions.ConnectionError):
            post(mutual, verify=folder / "ca.pem", cert=wrong)


def test_our_clients_take_roots_and_a_certificate(mutual, folder):
    roots = str(folder / "ca.pem")
    own = Tls(roots, certificate=str(folder / "client.pem"), key=str(folder / "client.key"))
    addresses = ((GrpcClient, f"localhost:{mutual.grpc_port}"), (RestClient, url_of(mutual)))
    for make, address in addresses:
        with make(address, tls=own) as client:
            assert client.predict("tf1", X)["y"].tolist() == [[2.5]]
        with make(address, tls=Tls(roots), timeout=10) as client, pytest.raises(ClientError) as error:
            client.predict("tf1", X)
        assert error.value.code is Code.UNAVAILABLE


def test_a_server_that_is_not_trusted_is_unavailable(secure):
    with RestClient(url_of(secure)) as client, pytest.raises(ClientError, match="CERTIFICATE_VERIFY_FAILED") as error:
        client.status("tf1")
    assert error.value.code is Code.UNAVAILABLE


def test_half_an_identity_and_tls_without_https_are_refused():
    with pytest.raises(ValueError, match="expected both or neither"):
        Tls(certificate="c.pem")
    with pytest.raises(ValueError, match="expected https://host:port"):
        RestClient("http://localhost:1", tls=Tls())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server_key {", "Invalid protobuf file"),
        ('server_key: "no key" server_cert: "no certificate"', "expected server_key and server_cert"),
        ("{config} client_verify: true custom_ca: 'none'", "expected server_key and server_cert, and custom_ca"),
    ],
)
def test_a_bad_file_ends_the_start_and_never_leaves_the_port_plain(tmp_path, repository, folder, text, message):
    path = tmp_path / "ssl"
    path.write_text(text.replace("{config}", (folder / "plain").read_text()))
    with pytest.raises(ServingError, match=message) as error:
        ModelServer.on_free_ports(
            model_name="tf1", model_base_path=str(repository / "tf1"), rest_ssl_config_file=str(path)
        )
    assert error.value.code is Code.INVALID_ARGUMENT


def test_nothing_older_than_tls_1_2_is_spoken(folder):
    assert http_credentials(str(folder / "plain")).minimum_version is ssl.TLSVersion.TLSv1_2


def test_without_a_file_the_port_is_plain_and_without_authorities_those_of_the_system_count(tmp_path, folder):
    assert http_credentials("") is None
    path = tmp_path / "ssl"
    path.write_text((folder / "plain").read_text() + " client_verify: true")
    assert http_credentials(str(path)).verify_mode is ssl.CERT_REQUIRED
