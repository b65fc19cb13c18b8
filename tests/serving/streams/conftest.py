"""One server of models that write text, and a gate that holds its streams."""

import threading

import grpc
import pytest

from serving.server import ANY_FREE, ModelServer, ServerOptions
from serving.streams import driver
from tests.serving import exports
from tests.serving.asking import SECONDS
from tests.serving.streams import models
from tests.serving.streams.asking import Text

VERSE = "Zwei Äpfel, drei Birnen: süß! \N{GRINNING FACE} Ende."


@pytest.fixture(scope="session")
def dreamer():
    return models.Dreamer()


@pytest.fixture(scope="session")
def text_models(tmp_path_factory, dreamer):
    """The SavedModels, each written once: name -> folder of a version."""
    root = tmp_path_factory.mktemp("text-models")
    made = {
        "verse": models.Reciter(VERSE.encode()),
        "endless": models.Reciter(b"ab", ends=False),
        "capital": models.Reciter(b"AB", ends=False),
        "dreamer": dreamer,
        **{f"without-{lack}": models.Lacking(lack) for lack in models.LACKS},
    }
    return {name: models.write(module, root / name / "1") for name, module in made.items()}


@pytest.fixture(scope="session")
def text_server(text_models, tmp_path_factory):
    """All of them on one server in this process."""
    root = tmp_path_factory.mktemp("text-server")
    entries = "".join(
        f'config {{ name: "{name}" base_path: "{folder.parent}" model_platform: "tensorflow" }}'
        for name, folder in text_models.items()
    )
    (root / "models.config").write_text(f"model_config_list {{ {entries} }}")
    (root / "sequences.config").write_text('sequence_config { model_name: "capital" max_sequence_number: 1 }')
    (root / "monitoring").write_text("prometheus_config { enable: true }")
    with ModelServer.on_free_ports(
        model_config_file=str(root / "models.config"),
        sequence_config_file=str(root / "sequences.config"),
        monitoring_config_file=str(root / "monitoring"),
        rest_api_enable_cors_support=True,
        grpc_max_threads=2,
    ) as server:
        yield server


@pytest.fixture(scope="session")
def text(text_server):
    with grpc.insecure_channel(f"localhost:{text_server.grpc_port}") as channel:
        yield Text(text_server, channel)


@pytest.fixture
def live(text_server):
    """How many sequences of a model there are."""
    return lambda model: text_server.sequences._store.live(model)


class Gate:
    """Holds every stream after its first token, until it is opened."""

    def __init__(self, write):
        self._write = write
        self._opened = threading.Event()
        self.reached = threading.Event()

    def __call__(self, *given):
        self.reached.set()
        assert self._opened.wait(SECONDS)
        self._write(*given)

    def open(self):
        self._opened.set()


@pytest.fixture
def gate(monkeypatch):
    found = Gate(driver.write)
    monkeypatch.setattr(driver, "write", found)
    yield found
    found.open()


@pytest.fixture
def serve(text_models, tmp_path):
    """Starts a server of the model `m` whose versions a test puts into place: put(model, version)."""
    started = []

    def start(**flags):
        flags = {"model_name": "m", "model_base_path": str(tmp_path / "m"), "max_num_load_retries": 0, **flags}
        server = ModelServer(ServerOptions(port=ANY_FREE, rest_api_port=ANY_FREE, **flags))
        started.append(server)
        server.start()
        server.text = Text(server, grpc.insecure_channel(f"localhost:{server.grpc_port}"))
        return server

    (tmp_path / "m").mkdir()
    start.put = lambda model, version: exports.copy(text_models[model], tmp_path / "m" / str(version))
    start.remove = lambda version: (tmp_path / "m" / str(version)).rename(tmp_path / f"removed-{version}")
    yield start
    for server in started:
        server.stop()
