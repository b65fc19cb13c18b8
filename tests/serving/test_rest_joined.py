"""Joined calls over HTTP never reach the application; what is out of the ordinary does, and is answered alike."""

import json
import socket

import numpy as np
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.rest_api import RestApi
from serving.server import ModelServer
from tests.serving.asking import Rest

ONE = {"inputs": {"x": [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]}}
PATH = "/v1/models/ragged:predict"


@pytest.fixture(scope="module")
def server(repository):
    with ModelServer.on_free_ports(model_name="ragged", model_base_path=str(repository / "ragged")) as running:
        yield running


@pytest.fixture
def rest(server):
    return Rest(server.rest_port)


@pytest.fixture
def reached(monkeypatch):
    """The targets of the requests that reach the application."""
    found, call = [], RestApi.__call__

    async def noting(self, scope, receive, send):
        found.append(scope["path"])
        await call(self, scope, receive, send)

    monkeypatch.setattr(RestApi, "__call__", noting)
    return found


def test_a_plain_call_is_answered_without_the_application_as_the_application_answers_it(rest, reached):
    taken = rest.post(PATH, ONE, **{"x-request-id": "mine"})
    assert reached == []
    body = (chunk for chunk in [json.dumps(ONE).encode()])  # its length is not told: it is left to the application
    left = rest.post(PATH, body, **{"x-request-id": "mine"})
    assert reached == [PATH]
    assert taken.ok
    assert taken.content == left.content
    assert {**taken.headers, "date": ""} == {**left.headers, "date": ""}


@pytest.mark.parametrize("body", [{"inputs": {"x": [[1.0]]}, "instances": []}, {"inputs": {"y": [1.0]}}, {}])
def test_an_error_has_the_text_of_the_application(rest, reached, body):
    taken = rest.error("ragged", body)
    assert reached == []
    chunks = (chunk for chunk in [json.dumps(body).encode()])
    left = rest.post(PATH, chunks)
    assert (left.status_code, left.json()["error"]) == taken
    assert taken[0] == 400


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (PATH, b'{"inputs": NaN', {}),
        (PATH, b"{}", {"content-encoding": "gzip"}),
        ("/v1/models/nope:predict", b'{"inputs": 1}', {}),
        (f"{PATH}?a=b", b'{"inputs": 1}', {}),
        (PATH, b'{"inputs": 1}' + b" " * (1 << 16), {}),
    ],
)
def test_what_is_out_of_the_ordinary_reaches_the_application(rest, reached, path, body, headers):
    assert rest.post(path, body, **headers).status_code in (400, 404)
    assert len(reached) == 1


def read_answers(sock, number):
    """So many answers from a connection: status and body of each."""
    file, found = sock.makefile("rb"), []
    for _ in range(number):
        status, length = file.readline().split()[1], 0
        while (line := file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            length = int(value) if name == b"content-length" else length
        found.append((status, file.read(length)))
    return found


def test_requests_in_a_pipe_are_answered_in_their_order(server):
    bodies = [json.dumps({"inputs": {"x": np.full((1, 2, 3), n).tolist()}}).encode() for n in (1.0, 2.0, 3.0)]
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("localhost", server.rest_port), timeout=20) as sock:
        sock.sendall(b"".join(head % (PATH.encode(), len(body)) + body for body in bodies))
        together = read_answers(sock, 3)
    alone = [Rest(server.rest_port).post(PATH, body).content for body in bodies]
    assert together == [(b"200", content) for content in alone]
    assert len(set(alone)) == 3


def test_a_body_that_breaks_off_is_told_to_the_application(server, reached):
    with socket.create_connection(("localhost", server.rest_port), timeout=20) as sock:
        sock.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{" % PATH.encode())
    assert Rest(server.rest_port).post(PATH, ONE).ok
    assert reached == [PATH]


def test_a_connection_that_is_to_close_does(server):
    body = json.dumps(ONE).encode()
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (
        PATH.encode(),
        len(body),
    )
    with socket.create_connection(("localhost", server.rest_port), timeout=20) as sock:
        sock.sendall(head + body)
        answer = b"".join(iter(lambda: sock.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close\r\n" in answer


def test_uvicorn_has_the_place_where_requests_are_taken():
    assert callable(HttpToolsProtocol._start_asgi_task)
