"""A small share of the inputs at random of `make soak`: always a well-formed answer, and the next good request is
answered."""

import pytest
from hypothesis import HealthCheck, given, settings
from tensorflow_serving.config import model_server_config_pb2

from benchmarks.serving.soak import faces as faces_module
from benchmarks.serving.soak.faces import Faces
from benchmarks.serving.soak.fuzz import RARE, Judge
from benchmarks.serving.soak.inputs import (
    GOOD_BODIES,
    METHODS,
    RELOAD,
    REQUESTS,
    GrpcInput,
    RawInput,
    RestInput,
    good_messages,
    strategies,
)
from serving.server import ModelServer
from tests.serving import exports

QUICK = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
KINDS = strategies()


def judge_all(kind, judge, number):
    @settings(QUICK, max_examples=number)
    @given(KINDS[kind])
    def each(value):
        status, complaint = judge(value)
        assert complaint is None, status

    each()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if RARE not in kind])
def test_any_input_gets_an_answer_and_the_good_request_after_it_too(server, kind):
    faces = Faces(server.grpc_port, server.rest_port, answer=3)
    judge_all(kind, Judge(faces, None), 60)
    faces.close()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if RARE in kind])
def test_any_reload_gets_an_answer_and_a_good_one_after_it_brings_all_models_back(tmp_path, written, kind):
    (tmp_path / "scale").mkdir()
    exports.copy(written["scale"], tmp_path / "scale" / "1")
    config = model_server_config_pb2.ModelServerConfig()
    base = str(tmp_path / "scale")
    config.model_config_list.config.add(name="scale", base_path=base, model_platform="tensorflow")
    (tmp_path / "models.config").write_text(str(config))
    with ModelServer.on_free_ports(
        model_config_file=str(tmp_path / "models.config"), allow_version_labels_for_unavailable_models=True
    ) as server:
        faces = Faces(server.grpc_port, server.rest_port, answer=2)
        judge_all(kind, Judge(faces, config), 15)
        faces.close()


def test_what_is_changed_at_random_is_answered_as_it_is(server, monkeypatch):
    monkeypatch.setattr(faces_module, "FIRST_SECONDS", 20)  # every request here is whole
    faces = Faces(server.grpc_port, server.rest_port, answer=3)
    for method in METHODS:
        if method != RELOAD:
            for message in good_messages(method):
                assert faces.answer(GrpcInput(method, message.SerializeToString())) == ("OK", None)
    for verb, body in zip(("predict", "predict", "classify", "predict"), GOOD_BODIES, strict=True):
        model = {"classify": "tf1"}.get(verb, "scale" if b"signature_name" not in body else "kinds")
        assert faces.answer(RestInput(f"/v1/models/{model}:{verb}", body)) == ("200", None)
    for request in REQUESTS:
        status, complaint = faces.answer(RawInput(request))
        assert (status in ("200", "400"), complaint) == (True, None)
    faces.close()


def test_an_answer_that_is_none_is_complained_of(server):
    """Who judges is not blind: a server whose model answers otherwise, and one that is not there."""
    faces = Faces(server.grpc_port, server.rest_port, answer=4)
    assert faces.good_over_grpc() == "a good gRPC call is answered with 3.0"
    assert faces.good_over_rest().startswith("a good REST request is answered with 200")
    faces.close()
    faces = Faces(1, 1, answer=3)
    assert faces.good_over_grpc().startswith("a good gRPC call is answered with UNAVAILABLE")
    assert faces.good_over_rest().startswith("a good REST request is not answered: ConnectionRefusedError")
    faces.close()
