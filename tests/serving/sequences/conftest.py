"""One server whose models hold sequences."""

import threading

import pytest

from serving.clock import SystemClock
from serving.options import ServerOptions
from serving.server import ANY_FREE, ModelServer
from tests.serving import exports
from tests.serving.asking import Grpc, Rest
from tests.serving.sequences import models
from tests.serving.sequences.driving import Driver, ids
from tests.serving.sequences.redis_server import WHY_NOT, RedisServer, redis_program


class ShiftedClock(SystemClock):
    """The machine's clock, put forward by a test."""

    def __init__(self):
        self.ahead = 0

    def micros(self):
        return super().micros() + self.ahead

    def forward(self, seconds):
        self.ahead += int(seconds * 1e6)


@pytest.fixture(scope="session")
def sequence_models(tmp_path_factory):
    """The SavedModels, each written once: name -> folder of a version."""
    root = tmp_path_factory.mktemp("sequence-models")
    return {
        "running": models.write(models.Running(1), root / "running" / "1"),
        "tripled": models.write(models.Running(3), root / "tripled" / "1"),
        "wider": models.write(models.Running(1, features=3), root / "wider" / "1"),
        "renamed": models.write(models.Running(1, state_name="state_total"), root / "renamed" / "1"),
        "strict": models.write(models.Running(1, largest=100.0), root / "strict" / "1"),
        "plain": models.write(models.Running(1, with_lengths=False), root / "plain" / "1"),
        "lstm": models.write(models.LSTM(), root / "lstm" / "1"),
        "other": models.write(models.Other(), root / "other" / "1"),
        "reserved": models.write(models.Reserved(), root / "reserved" / "1"),
    }


@pytest.fixture(scope="session")
def sequence_server(sequence_models, tmp_path_factory):
    """All of them on one server in this process; limits are per model."""
    root = tmp_path_factory.mktemp("sequence-server")
    entries = "".join(
        f'config {{ name: "{name}" base_path: "{folder.parent}" model_platform: "tensorflow" }}'
        for name, folder in sequence_models.items()
    )
    (root / "models.config").write_text(f"model_config_list {{ {entries} }}")
    (root / "sequences.config").write_text(
        'sequence_config { model_name: "plain" max_sequence_number: 2 max_waiting: 1 } '
        'sequence_config { model_name: "wider" retain_ended_seconds: 0 }'
    )
    (root / "monitoring").write_text("prometheus_config { enable: true }")
    with ModelServer.on_free_ports(
        model_config_file=str(root / "models.config"),
        sequence_config_file=str(root / "sequences.config"),
        monitoring_config_file=str(root / "monitoring"),
        max_sequence_number=100_000,
        grpc_max_threads=32,
    ) as server:
        yield server


@pytest.fixture(scope="session")
def sequence_ask(sequence_server):
    return Grpc(f"localhost:{sequence_server.grpc_port}")


@pytest.fixture
def new():
    """An id that no sequence of that server has."""
    return next(ids)


@pytest.fixture
def step(sequence_ask):
    """Asks `running` on that server."""
    return Driver(sequence_ask, "running")


@pytest.fixture
def ask_model(sequence_ask):
    """A Driver for any model of that server."""
    return lambda model: Driver(sequence_ask, model)


@pytest.fixture(scope="session")
def sequence_rest(sequence_server):
    return Rest(sequence_server.rest_port)


@pytest.fixture
def held(sequence_server):
    """Holds the runs of a model of that server until it is told to let them go: (began, go, rows of each run)."""
    undo = []

    def hold(model):
        began, go, rows = threading.Semaphore(0), threading.Event(), []
        with sequence_server.manager.use(model) as loaded:
            servable = loaded.unbatched
        run = servable.run

        def waiting(feeds, *more):
            rows.append(len(next(iter(feeds.values()))))
            began.release()
            assert go.wait(30)
            return run(feeds, *more)

        servable.run = waiting
        undo.append((servable, go))
        return began, go, rows

    yield hold
    for servable, go in undo:
        go.set()
        del servable.run


@pytest.fixture
def monitored(tmp_path):
    """The flag for servers whose metrics `ended` reads."""
    (tmp_path / "monitoring").write_text("prometheus_config { enable: true }")
    return {"monitoring_config_file": str(tmp_path / "monitoring")}


def ended(server, reason):
    """How many sequences have ended for that reason, by the page for Prometheus."""
    page = Rest(server.rest_port).get("/monitoring/prometheus/metrics").text
    name = f':serving:sequence:ended{{model_name="m",reason="{reason}"}} '
    return sum(int(line.removeprefix(name)) for line in page.splitlines() if line.startswith(name))


@pytest.fixture
def repository(sequence_models, tmp_path):
    """An own model repository: put(model, version) places one of the SavedModels as a version of `m`."""

    def put(model, version):
        return exports.copy(sequence_models[model], tmp_path / "m" / str(version))

    (tmp_path / "m").mkdir()
    put.base = tmp_path / "m"
    return put


@pytest.fixture
def serve(repository):
    """Starts servers of that repository, with an own clock, and stops them."""
    started = []

    def start(**flags):
        flags = {"model_name": "m", "model_base_path": str(repository.base), "max_num_load_retries": 0, **flags}
        clock = ShiftedClock()
        server = ModelServer(ServerOptions(port=ANY_FREE, rest_api_port=ANY_FREE, **flags), clock)
        started.append(server)
        server.start()
        server.clock = clock
        server.step = Driver(Grpc(f"localhost:{server.grpc_port}"), "m")
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory):
    """One Redis for the tests that do not harm it."""
    if redis_program() is None:
        pytest.skip(WHY_NOT)
    server = RedisServer(tmp_path_factory.mktemp("redis") / "shared")
    yield server
    server.stop()


@pytest.fixture
def redis_server(shared_redis):
    """The same, empty."""
    shared_redis.client.flushall()
    return shared_redis


@pytest.fixture
def own_redis(tmp_path):
    """One that the test may harm."""
    if redis_program() is None:
        pytest.skip(WHY_NOT)
    server = RedisServer(tmp_path / "redis")
    yield server
    server.stop()
