"""What goes wrong on the machine under a running server, and the answer that it then gives."""

import shutil
import signal
import weakref

import numpy as np
import pytest
import tensorflow as tf

from serving.server import ModelServer
from tests.serving import exports
from tests.serving.asking import Grpc, Rest, refused, wait_until
from tests.serving.test_main import flags, run  # noqa: F401 (a fixture)

X = {"x": np.float32([[1]])}


@pytest.fixture
def base(tmp_path, written):
    (tmp_path / "scale").mkdir()
    exports.copy(written["scale"], tmp_path / "scale" / "1")
    return tmp_path / "scale"


def serving(base, **more):
    return ModelServer.on_free_ports(
        **({"model_name": "scale", "model_base_path": str(base), "max_num_load_retries": 0} | more)
    )


def test_a_base_path_that_disappears_leaves_its_model_served_and_one_that_comes_again_is_followed(base, logged):
    with serving(base) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        shutil.rmtree(base)
        wait_until(lambda: any("filesystem access error: Could not find base path" in text for text in logged()))
        assert stub.predict("scale", X)["y"] == 2
        assert stub.status("scale") == {1: 30}
        exports.scale(base / "2", 3)
        wait_until(lambda: stub.status("scale") == {2: 30, 1: 50})
        assert stub.predict("scale", X)["y"] == 3


def test_the_folder_of_a_loaded_version_that_disappears_takes_it_away_and_one_that_comes_again_is_loaded(base):
    with serving(base) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        (base / "1").rename(base.parent / "away")
        wait_until(lambda: stub.status("scale") == {1: 50})
        assert refused(stub.predict, "scale", X) == ("NOT_FOUND", "Servable not found for request: Latest(scale)")
        (base.parent / "away").rename(base / "1")
        wait_until(lambda: stub.status("scale") == {1: 30})
        assert stub.predict("scale", X)["y"] == 2


def test_an_unloaded_version_gives_its_memory_back(base):
    with serving(base) as server:
        with server.manager.use("scale") as servable:
            graph = weakref.ref(servable._inner._session.graph)
        del servable
        exports.scale(base / "2", 3)
        wait_until(lambda: server.manager.states.versions("scale")[1].state == 50)
        assert graph() is None


def test_a_warm_up_file_cut_short_by_a_full_disk_fails_its_version_and_the_one_before_serves_on(base):
    with serving(base) as server:
        stub, rest = Grpc(f"localhost:{server.grpc_port}"), Rest(server.rest_port)
        folder = exports.scale(base.parent / "elsewhere" / "2", 3)
        (folder / "assets.extra").mkdir()
        file = folder / "assets.extra" / "tf_serving_warmup_requests"
        with tf.io.TFRecordWriter(str(file)) as writer:
            writer.write(b"\0" * 500)
        file.write_bytes(file.read_bytes()[:300])
        folder.rename(base / "2")
        wait_until(lambda: stub.status("scale") == {2: 50, 1: 30})
        (entry,) = rest.get("/v1/models/scale/versions/2").json()["model_version_status"]
        assert entry["status"]["error_code"] == "DATA_LOSS"
        assert stub.predict("scale", X)["y"] == 2


def test_variables_cut_short_fail_their_version_and_the_one_before_serves_on(base):
    with serving(base) as server:
        stub, rest = Grpc(f"localhost:{server.grpc_port}"), Rest(server.rest_port)
        folder = exports.scale(base.parent / "elsewhere" / "2", 3)
        for file in (folder / "variables").iterdir():
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        folder.rename(base / "2")
        wait_until(lambda: stub.status("scale") == {2: 50, 1: 30})
        (entry,) = rest.get("/v1/models/scale/versions/2").json()["model_version_status"]
        assert entry["status"]["error_code"] != "OK"
        assert entry["status"]["error_message"]
        assert stub.predict("scale", X)["y"] == 2


def test_a_half_written_config_file_changes_nothing_and_the_whole_one_is_applied(base, tmp_path, repository, logged):
    path = tmp_path / "models.config"
    both = "".join(
        f'config {{ name: "{name}" base_path: "{folder}" model_platform: "tensorflow" }}\n'
        for name, folder in (("scale", base), ("tf1", repository / "tf1"))
    )
    path.write_text(f"model_config_list {{ {both.splitlines()[0]} }}")
    with ModelServer.on_free_ports(model_config_file=str(path), model_config_file_poll_wait_seconds=1) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        whole = f"model_config_list {{ {both} }}"
        for cut in (len(whole) // 2, len(whole) - 2, 0):
            path.write_text(whole[:cut])
            before = len(logged())
            wait_until(lambda b=before: any("Failed to read ModelServerConfig file" in text for text in logged()[b:]))
            assert stub.status("scale") == {1: 30}
            assert stub.predict("scale", X)["y"] == 2
        path.write_text(whole)
        wait_until(lambda: server.manager.available("tf1") == [123])


def test_after_kill_9_it_starts_again_from_what_is_on_disk_on_the_same_ports(run, base):  # noqa: F811
    grpc_port, rest_port, arguments = flags(base)
    for _ in range(2):
        process = run(*arguments)
        process.line("Exporting HTTP/REST API")
        assert Grpc(f"localhost:{grpc_port}").predict("scale", X)["y"] == 2
        assert Rest(rest_port).predict("scale", {"inputs": [[1]]}).json() == {"outputs": [[2.0]]}
        assert process.end(signal.SIGKILL) == -signal.SIGKILL
