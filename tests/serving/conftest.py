"""One server with a model of each kind for all tests, and small parts for single ones."""

import logging
import threading

import pytest

from serving.server import ModelServer
from tests.serving import exports
from tests.serving.asking import Grpc, Rest


class FakeClock:
    """Time that passes only when a test, or a wait, lets it."""

    def __init__(self):
        self.now = 0
        self.waits = []

    def micros(self):
        return self.now

    def wait(self, event, micros):
        """Notes how long the wait would be, lets that time pass, and returns."""
        self.waits.append(micros)
        self.now += micros
        return event.is_set()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """The SavedModels, each written once: name -> folder of a version."""
    root = tmp_path_factory.mktemp("written")
    return {
        "scale": exports.scale(root / "scale" / "1", 2),
        "kinds": exports.kinds(root / "kinds" / "1"),
        "tf1": exports.tf1(root / "tf1" / "123"),
        "ragged": exports.ragged(root / "ragged" / "1"),
    }


@pytest.fixture(scope="session")
def repository(written, tmp_path_factory):
    """scale with versions 1 (times 2) and 2 (times 3), kinds, tf1, ragged."""
    root = tmp_path_factory.mktemp("repository")
    for name, folder in written.items():
        (root / name).mkdir()
        exports.copy(folder, root / name / folder.name)
    exports.scale(root / "scale" / "2", 3)
    return root


@pytest.fixture(scope="session")
def config_file(repository):
    """All models of the repository; scale with every version and two labels."""
    path = repository / "models.config"
    entries = [
        f'config {{ name: "scale" base_path: "{repository}/scale" model_platform: "tensorflow" '
        'model_version_policy { all {} } version_labels { key: "stable" value: 1 } '
        'version_labels { key: "gone" value: 9 } }',
        f'config {{ name: "kinds" base_path: "{repository}/kinds" model_platform: "tensorflow" }}',
        f'config {{ name: "tf1" base_path: "{repository}/tf1" model_platform: "tensorflow" }}',
        f'config {{ name: "ragged" base_path: "{repository}/ragged" model_platform: "tensorflow" }}',
    ]
    path.write_text(f"model_config_list {{ {' '.join(entries)} }}")
    return path


@pytest.fixture(scope="session")
def server(config_file):
    """A server of all models in this process."""
    with ModelServer.on_free_ports(
        model_config_file=str(config_file), allow_version_labels_for_unavailable_models=True
    ) as running:
        yield running


@pytest.fixture(scope="session")
def ask(server):
    """Stock gRPC stubs on that server."""
    return Grpc(f"localhost:{server.grpc_port}")


@pytest.fixture(scope="session")
def rest(server):
    """Its REST API."""
    return Rest(server.rest_port)


@pytest.fixture
def logged(caplog):
    """The texts that the server logs."""
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def no_thread_stays():
    """What a test starts it ends: no thread of ours is left but those of the shared server."""
    before = set(threading.enumerate())
    yield
    ours = ("manager", "folder-source", "config-file-source", "http-server")
    left = [t.name for t in set(threading.enumerate()) - before if t.name in ours]
    if left and not any(name == "http-server" for name in left):
        pytest.fail(f"left running: {left}")
