"""`seqzoo ask` and `seqzoo serve` against a real server."""

import json
import signal
import subprocess

import pytest
import requests

from serving.auth_tokens import hashed
from serving.server import ModelServer
from tests.end_to_end.test_main_line import free_ports, wait_until
from tests.serving.certificates import Certificate, quoted
from tests.training import small

WEEK = '{"weather": [["rainy", "sunny"]], "first_dish": ["pie"]}'


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """`seqzoo serve` on a home that holds the cook: (home, gRPC port, HTTP port)."""
    home = tmp_path_factory.mktemp("home")
    exported = small.here(home, "export", "cook", "--repository", str(home / "repository"))
    assert exported.returncode == 0, exported.stderr
    grpc_port, rest_port = free_ports(2)
    command = small.command("serve", "cook", f"--port={grpc_port}", f"--rest_api_port={rest_port}")
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, env=small.environment(home), stdout=log, stderr=log)
    try:
        wait_until(
            lambda: requests.get(f"http://localhost:{rest_port}/v1/models/cook", timeout=5).ok, server, home / "log"
        )
        yield home, grpc_port, rest_port
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def addresses(served):
    _, grpc_port, rest_port = served
    return [f"grpc://localhost:{grpc_port}", f"http://localhost:{rest_port}"]


def test_both_faces_answer_as_json(served):
    over_grpc, over_http = (["ask", "cook", "--url", url, "--inputs", WEEK] for url in addresses(served))
    for done in (small.run(small.command(*over_grpc), served[0]), small.here(served[0], *over_http)):
        assert json.loads(done.stdout) == {"dish": [["burger", "burger"]]}, done.stderr


def test_inputs_may_lie_in_a_file_and_another_signature_be_asked(served, tmp_path):
    (tmp_path / "week.json").write_text(WEEK)
    options = ["--url", addresses(served)[1], "--signature", "stations", "--inputs", f"@{tmp_path / 'week.json'}"]
    done = small.here(served[0], "ask", "cook", *options)
    assert json.loads(done.stdout)["merge"] == [[[0, 1, 0], [0, 1, 0]]], done.stderr


def test_what_the_server_refuses_is_one_line(served):
    foggy = WEEK.replace("sunny", "foggy")
    done = small.here(served[0], "ask", "cook", "--url", addresses(served)[0], "--inputs", foggy)
    small.assert_one_line_error(done, "weather got [foggy]; the known words are: sunny, rainy")
    done = small.here(served[0], "ask", "nope", "--url", addresses(served)[1], "--inputs", "{}")
    small.assert_one_line_error(done, "Servable not found for request: Latest(nope)")


def test_a_token_and_roots_are_sent_to_a_server_that_wants_them(served, tmp_path):
    home = served[0]
    authority = Certificate("authority")
    ours = Certificate("localhost", authority)
    (tmp_path / "roots.pem").write_bytes(authority.pem)
    (tmp_path / "ssl").write_text(f"server_key: {quoted(ours.key)} server_cert: {quoted(ours.pem)}")
    (tmp_path / "tokens").write_text(f"asker predict {hashed('secret-token')}")
    flags = {name: str(tmp_path / "ssl") for name in ("ssl_config_file", "rest_ssl_config_file")}
    flags |= {"model_name": "cook", "model_base_path": str(home / "repository" / "cook")}
    with ModelServer.on_free_ports(auth_tokens_file=str(tmp_path / "tokens"), **flags) as server:
        for url in (f"grpcs://localhost:{server.grpc_port}", f"https://localhost:{server.rest_port}"):
            options = ["--url", url, "--inputs", WEEK, "--roots", str(tmp_path / "roots.pem")]
            done = small.here(home, "ask", "cook", *options, "--token", "secret-token")
            assert json.loads(done.stdout) == {"dish": [["burger", "burger"]]}, done.stderr
            small.assert_one_line_error(small.here(home, "ask", "cook", *options), "No token; expected")


@pytest.mark.parametrize(
    ("url", "roots", "part"),
    [
        ("https://localhost:1", "/nowhere.pem", "--roots /nowhere.pem cannot be used"),
        ("grpcs://localhost:1", "/nowhere.pem", "--roots /nowhere.pem cannot be used"),
        ("http://localhost:1", "/nowhere.pem", "got http://localhost:1, expected https:// or grpcs://HOST:PORT."),
    ],
)
def test_roots_that_cannot_be_used_are_one_line(url, roots, part, seqzoo_home):
    options = ["--url", url, "--inputs", WEEK, "--roots", roots]
    small.assert_one_line_error(small.here(seqzoo_home, "ask", "cook", *options), part)


def test_a_server_that_is_not_there_is_one_line(seqzoo_home):
    (port,) = free_ports(1)
    done = small.here(seqzoo_home, "ask", "cook", "--url", f"http://localhost:{port}", "--inputs", WEEK)
    small.assert_one_line_error(done, "refused")


@pytest.mark.parametrize(
    ("inputs", "parts"),
    [
        ([], ["'cook' has no example of its own; give --inputs"]),
        (["--inputs", "{"], ["cannot be read as JSON"]),
        (["--inputs", "[1]"], ["holds a list; expected a JSON object"]),
        (["--inputs", "@/nowhere.json"], ["cannot be read", "No such file"]),
    ],
    ids=["none", "half", "a list", "no file"],
)
def test_inputs_that_cannot_be_used_are_one_line(inputs, parts, seqzoo_home):
    small.assert_one_line_error(small.here(seqzoo_home, "ask", "cook", *inputs), *parts)
