"""The whole server in this process: start, swap, reload, end."""

import socket
import threading

import numpy as np
import pytest
import requests
from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2

from serving.errors import ServingError
from serving.options import ServerOptions
from serving.server import ModelServer
from tests.serving import exports
from tests.serving.asking import Background, Grpc, Rest, refused, wait_until

QUICK = {"max_num_load_retries": 0}
X = {"x": np.float32([[1]])}


@pytest.fixture
def base(tmp_path, written):
    """A base path with scale as version 1 (times 2)."""
    (tmp_path / "scale").mkdir()
    exports.copy(written["scale"], tmp_path / "scale" / "1")
    return tmp_path / "scale"


def on_free_ports(base, **flags):
    return ModelServer.on_free_ports(**({"model_name": "scale", "model_base_path": str(base)} | QUICK | flags))


def start_error(server):
    with pytest.raises(ServingError) as error:
        server.start()
    assert (server.grpc_port, server.rest_port) == (0, 0)
    return error.value.status


def test_ports_open_when_the_first_models_are_there_and_close_at_the_end(base, logged):
    with on_free_ports(base) as server:
        assert Grpc(f"localhost:{server.grpc_port}").predict("scale", X)["y"] == 2
        assert Rest(server.rest_port).predict("scale", {"inputs": [1]}).json() == {"outputs": [2.0]}
        grpc_port, rest_port = server.grpc_port, server.rest_port
    assert f"Running gRPC ModelServer at 0.0.0.0:{grpc_port} ..." in logged()
    assert f"Exporting HTTP/REST API at:localhost:{rest_port} ..." in logged()
    for port in (grpc_port, rest_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


def test_versions_swap_without_a_failed_request_on_either_face(base):
    with on_free_ports(base, file_system_poll_wait_seconds=1) as server:
        stub, rest = Grpc(f"localhost:{server.grpc_port}"), requests.Session()
        url = f"http://localhost:{server.rest_port}/v1/models/scale:predict"
        answers = set()

        def over_grpc():
            answers.add(float(stub.predict("scale", X)["y"][0, 0]))

        def over_http():
            response = rest.post(url, json={"inputs": [1]}, timeout=30)
            assert response.status_code == 200, response.text
            answers.add(response.json()["outputs"][0])

        with Background(over_grpc) as first, Background(over_http) as second:
            for factor in (3, 4, 5):
                exports.scale(base / str(factor - 1), factor)
                server._source.poll()
                wait_until(lambda f=factor: float(f) in answers)
                wait_until(lambda f=factor: stub.status("scale") == {f - 1: 30} | dict.fromkeys(range(1, f - 1), 50))
        assert first.errors == second.errors == []
        assert first.calls > 10
        assert second.calls > 10
        assert answers == {2.0, 3.0, 4.0, 5.0}


def test_a_version_that_comes_is_found_by_polling_and_one_that_goes_is_unloaded(base):
    with on_free_ports(base) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        exports.scale(base / "2", 3)
        wait_until(lambda: stub.status("scale") == {2: 30, 1: 50})
        for version in ("1", "2"):
            (base / version).rename(base.parent / f"gone-{version}")
        wait_until(lambda: stub.status("scale") == {2: 50, 1: 50})
        assert refused(stub.predict, "scale", X) == ("NOT_FOUND", "Servable not found for request: Latest(scale)")


def test_a_run_that_goes_on_keeps_its_version_until_it_ends(tmp_path, written):
    base = tmp_path / "kinds"
    base.mkdir()
    exports.copy(written["kinds"], base / "1")
    with on_free_ports(base, model_name="kinds") as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        found = []
        steps = {"steps": np.int32(300_000)}
        running = threading.Thread(target=lambda: found.append(stub.predict("kinds", steps, signature="steps")))
        with server.manager.use("kinds") as loaded:
            began = threading.Event()
            run = loaded.run
            loaded.run = lambda *args: (began.set(), run(*args))[1]
        running.start()
        assert began.wait(30)
        exports.copy(written["kinds"], base / "2")
        wait_until(lambda: 2 in server.manager.available("kinds"))
        running.join(60)
        assert found[0]["x"].shape == (4,)
        wait_until(lambda: stub.status("kinds") == {2: 30, 1: 50})


def test_a_broken_version_beside_a_good_one_is_reported_and_the_good_one_serves(base):
    with on_free_ports(base) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        exports.broken(base / "2")
        wait_until(lambda: stub.status("scale") == {2: 50, 1: 30})
        rest = Rest(server.rest_port)
        (entry,) = rest.get("/v1/models/scale/versions/2").json()["model_version_status"]
        assert entry["status"] == {
            "error_code": "DATA_LOSS",
            "error_message": f"Can't parse {base / '2' / 'saved_model.pb'} as binary proto",
        }
        assert stub.predict("scale", X)["y"] == 2


def test_a_first_model_that_fails_ends_the_start(tmp_path):
    exports.broken(tmp_path / "m" / "1")
    assert start_error(on_free_ports(tmp_path / "m", model_name="m")) == (
        "UNKNOWN: 1 servable(s) did not become available: {{{name: m version: 1} due to error: DATA_LOSS: Can't parse "
        f"{tmp_path}/m/1/saved_model.pb as binary proto}}, }}"
    )


def test_a_relative_base_path_ends_the_start():
    assert start_error(on_free_ports("models/m", model_name="m")) == (
        "INVALID_ARGUMENT: Expected model m to have an absolute path or URI; got base_path()=models/m"
    )


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (None, "NOT_FOUND: {path}; No such file or directory"),
        ("", "INVALID_ARGUMENT: {path}; Invalid argument"),
        ("model_config_list {", "INVALID_ARGUMENT: Invalid protobuf file: '{path}'"),
    ],
)
def test_a_bad_config_file_ends_the_start(tmp_path, text, status):
    path = tmp_path / "models.config"
    if text is not None:
        path.write_text(text)
    server = ModelServer.on_free_ports(model_config_file=str(path))
    assert start_error(server) == status.format(path=path)


def test_options_that_cannot_be_are_refused_before_anything_starts():
    with pytest.raises(ServingError, match=r"Both server_options\.model_base_path and"):
        ModelServer(ServerOptions())


def test_http_that_cannot_bind_is_only_logged(base, logged):
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = on_free_ports(base)
        object.__setattr__(server.options, "rest_api_port", port)
        with server:
            assert server.rest_port == 0
            assert Grpc(f"localhost:{server.grpc_port}").predict("scale", X)["y"] == 2
    assert any(text.startswith(f"Failed to start HTTP Server at localhost:{port}") for text in logged())


def free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def test_one_port_for_both_faces_leaves_http_off(base, logged):
    port = free_port()
    with ModelServer(ServerOptions(port=port, rest_api_port=port, model_base_path=str(base))) as server:
        assert (server.grpc_port, server.rest_port) == (port, 0)
    assert any("--rest_api_port cannot be same as --port" in text for text in logged())


def test_grpc_that_cannot_bind_ends_the_start(base):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        server = ModelServer(ServerOptions(port=taken.getsockname()[1], model_base_path=str(base)))
        assert start_error(server) == "INVALID_ARGUMENT: Failed to BuildAndStart gRPC server"


def test_two_servers_share_a_grpc_port_unless_they_are_told_not_to(base):
    port = free_port()
    options = {"port": port, "model_base_path": str(base)}
    with ModelServer(ServerOptions(**options)):
        with ModelServer(ServerOptions(**options)) as second:
            assert second.grpc_port == port
        alone = ModelServer(ServerOptions(grpc_channel_arguments="grpc.so_reuseport=0", **options))
        assert start_error(alone) == "INVALID_ARGUMENT: Failed to BuildAndStart gRPC server"


def test_a_unix_socket_offers_the_same_and_replaces_the_file_that_is_there(base, tmp_path, logged):
    path = tmp_path / "socket"
    path.touch()
    options = ServerOptions(port=0, grpc_socket_path=str(path), model_name="scale", model_base_path=str(base))
    with ModelServer(options) as server:
        assert server.grpc_port == 0
        assert Grpc(f"unix:{path}").predict("scale", X)["y"] == 2
    assert f"Running gRPC ModelServer at UNIX socket {path} ..." in logged()


def reload_request(*models, **fields):
    """A request with these (name, base path, further fields) as its models."""
    entries = " ".join(
        f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" {more} }}'
        for name, path, more in models
    )
    text = f"config {{ model_config_list {{ {entries} }} }}"
    return text_format.Parse(text, model_management_pb2.ReloadConfigRequest(**fields))


def test_a_reload_adds_and_drops_models_and_moves_labels(base, repository):
    exports.scale(base / "2", 3)
    with on_free_ports(base) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")

        def reload(*models):
            response = stub.model.HandleReloadConfigRequest(reload_request(*models), timeout=60)
            assert response.status.error_code == 0

        both = "model_version_policy { specific { versions: 1 versions: 2 } }"
        reload(("scale", base, both), ("tf1", repository / "tf1", ""))
        assert stub.predict("tf1", X)["y"] == 2.5
        wait_until(lambda: stub.status("scale") == {2: 30, 1: 30})
        reload(("scale", base, f'{both} version_labels {{ key: "stable" value: 1 }}'))
        assert stub.predict("scale", X, label="stable")["y"] == 2
        reload(("scale", base, f'{both} version_labels {{ key: "stable" value: 2 }}'))
        assert stub.predict("scale", X, label="stable")["y"] == 3
        wait_until(lambda: stub.status("tf1") == {123: 50})
        assert refused(stub.predict, "tf1", X)[0] == "NOT_FOUND"


def test_a_reload_that_fails_is_a_failing_call(base):
    with on_free_ports(base) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        twice = reload_request(("scale", base, ""), ("scale", base, ""))
        assert refused(stub.model.HandleReloadConfigRequest, twice) == (
            "INVALID_ARGUMENT", "Illegal to list model scale multiple times in config list",
        )  # fmt: skip
        assert stub.predict("scale", X)["y"] == 2


def test_a_config_file_that_changes_is_applied(base, tmp_path, repository):
    path = tmp_path / "models.config"

    def write(*models):
        path.write_text(str(reload_request(*models).config))

    write(("scale", base, ""))
    flags = {"model_config_file": str(path), "model_config_file_poll_wait_seconds": 1}
    with ModelServer.on_free_ports(**flags) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        write(("scale", base, 'version_labels { key: "stable" value: 1 }'), ("tf1", repository / "tf1", ""))
        wait_until(lambda: server.manager.available("tf1") == [123])
        assert stub.predict("scale", X, label="stable")["y"] == 2


def test_a_rest_call_longer_than_its_limit_is_504(tmp_path, written):
    base = tmp_path / "kinds"
    base.mkdir()
    exports.copy(written["kinds"], base / "1")
    with on_free_ports(base, model_name="kinds", rest_api_timeout_in_ms=100) as server:
        status, text = Rest(server.rest_port).error("kinds", {"signature_name": "steps", "inputs": 1 << 30})
        assert (status, text) == (504, "Timed out waiting for notification")


def test_cors_headers_come_on_every_answer_of_the_api(base):
    with on_free_ports(base, rest_api_enable_cors_support=True) as server:
        rest = Rest(server.rest_port)
        answers = [
            rest.get("/v1/models/scale"), rest.get("/v1/models/nope"), rest.predict("scale", {"inputs": [1]}),
            requests.options(rest.root + "/v1/x", headers={"Origin": "http://a"}, timeout=30),
        ]  # fmt: skip
        for answer in answers:
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert answer.headers["Access-Control-Allow-Methods"] == "POST, GET"
            assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"
        assert "Access-Control-Allow-Origin" not in rest.get("/").headers


def test_outputs_come_as_tensor_content_when_the_flag_says_so(base):
    from tests.serving.asking import predict_request

    with on_free_ports(base, enable_serialization_as_tensor_content=True) as server:
        response = Grpc(f"localhost:{server.grpc_port}").prediction.Predict(predict_request("scale", X), timeout=30)
        assert response.outputs["y"].tensor_content == np.float32(2).tobytes()
        assert Rest(server.rest_port).predict("scale", {"inputs": [1]}).json() == {"outputs": [2.0]}


def test_a_method_name_that_does_not_fit_is_refused_with_the_check(tmp_path, written):
    folder = exports.copy(written["scale"], tmp_path / "1")

    def rename(meta_graph):
        meta_graph.signature_def["serving_default"].method_name = "odd"

    exports.edit(folder, rename)
    with on_free_ports(tmp_path, enable_signature_method_name_check=True) as server:
        code, text = refused(Grpc(f"localhost:{server.grpc_port}").predict, "scale", X)
        assert code == "INTERNAL"
        assert text.endswith("Was: odd")


def kinds_server(tmp_path, written, **flags):
    base = tmp_path / "kinds"
    base.mkdir()
    exports.copy(written["kinds"], base / "1")
    return on_free_ports(base, model_name="kinds", rest_api_timeout_in_ms=0, **flags)


def long_calls(server, steps):
    """Calls over both faces that run for a while, begun; each gives the name of what became of it."""
    stub, rest = Grpc(f"localhost:{server.grpc_port}"), Rest(server.rest_port)
    found = {}

    def over_grpc():
        try:
            stub.predict("kinds", {"steps": np.int32(steps)}, signature="steps")
            found["grpc"] = "answered"
        except Exception as error:
            found["grpc"] = type(error).__name__

    def over_http():
        try:
            body = {"signature_name": "steps", "inputs": steps}
            found["rest"] = "answered" if rest.predict("kinds", body).ok else "refused"
        except Exception as error:
            found["rest"] = type(error).__name__

    runs = threading.Semaphore(0)
    with server.manager.use("kinds") as loaded:
        run = loaded.run
        loaded.run = lambda *args: (runs.release(), run(*args))[1]
    threads = [threading.Thread(target=call) for call in (over_grpc, over_http)]
    for thread in threads:
        thread.start()
        assert runs.acquire(timeout=30)
    return threads, found


def test_calls_that_run_are_answered_before_the_server_ends(tmp_path, written):
    with kinds_server(tmp_path, written) as server:
        threads, found = long_calls(server, 200_000)
    for thread in threads:
        thread.join(30)
    assert found == {"grpc": "answered", "rest": "answered"}


@pytest.mark.parametrize(("host", "other"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_a_host_is_the_only_address_of_both_faces(base, host, other, logged):
    with on_free_ports(base, host=host) as server:
        shown = f"[{host}]" if ":" in host else host
        assert Grpc(f"{shown}:{server.grpc_port}").predict("scale", X)["y"] == 2
        assert requests.get(f"http://{shown}:{server.rest_port}/v1/models/scale", timeout=30).ok
        for port in (server.grpc_port, server.rest_port):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((other, port), timeout=5)
    assert f"Running gRPC ModelServer at {shown}:{server.grpc_port} ..." in logged()
