import grpc
import pytest

from serving.protos import HealthCheckRequest, HealthCheckResponse
from serving.server import ModelServer
from tests.serving.asking import refused


@pytest.fixture(scope="module")
def channel(repository):
    flags = {"model_name": "tf1", "model_base_path": str(repository / "tf1"), "grpc_max_threads": 1}
    with (
        ModelServer.on_free_ports(enable_grpc_healthcheck_service=True, **flags) as server,
        grpc.insecure_channel(f"localhost:{server.grpc_port}") as found,
    ):
        yield found


def call(channel, kind, method, service):
    codec = HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    return getattr(channel, kind)(f"/grpc.health.v1.Health/{method}", *codec)(
        HealthCheckRequest(service=service), timeout=30
    )


@pytest.mark.parametrize("service", ["", "ModelService", "PredictionService"])
def test_the_server_and_its_services_by_their_short_names_are_serving(channel, service):
    assert call(channel, "unary_unary", "Check", service).status == 1


def test_other_names_are_not_found(channel):
    service = "tensorflow.serving.PredictionService"
    assert refused(call, channel, "unary_unary", "Check", service)[0] == "NOT_FOUND"


@pytest.mark.parametrize(("service", "status"), [("", 1), ("ModelService", 1), ("no", 3)])
def test_a_watch_sends_the_status_and_stays_open_without_taking_a_thread(channel, service, status):
    watches = [call(channel, "unary_stream", "Watch", service) for _ in range(3)]
    assert [next(watch).status for watch in watches] == [status] * 3
    assert all(watch.is_active() for watch in watches)
    assert call(channel, "unary_unary", "Check", "").status == 1
    for watch in watches:
        watch.cancel()


def test_it_is_off_without_the_flag(ask):
    assert refused(call, ask.channel, "unary_unary", "Check", "")[0] == "UNIMPLEMENTED"


def test_open_watches_do_not_hold_up_the_end_of_the_server(repository):
    flags = {"model_name": "tf1", "model_base_path": str(repository / "tf1"), "enable_grpc_healthcheck_service": True}
    with ModelServer.on_free_ports(shutdown_grace_seconds=600, **flags) as server:
        channel = grpc.insecure_channel(f"localhost:{server.grpc_port}")
        watch = call(channel, "unary_stream", "Watch", "")
        assert next(watch).status == 1
    assert list(watch) == []
    channel.close()
