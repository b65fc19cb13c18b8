"""Sequences when the versions of their model change."""

import shutil

import numpy as np
import pytest

from tests.serving.asking import Background, Rest, predict_request, refused, wait_until
from tests.serving.sequences.conftest import ended
from tests.serving.sequences.driving import sums
from tests.serving.sequences.models import chunk

a, b, c = chunk(1, 2, 1)


def swap(server, repository, model="tripled", version=2):
    """Puts the next version into place and waits until it is the default."""
    repository(model, version)
    wait_until(lambda: version in server.manager.available("m"))


def gone(server, version=1):
    wait_until(lambda: version not in server.manager.available("m"))


def test_drain_keeps_a_version_for_its_sequences_until_the_last_has_ended(repository, serve):
    repository("running", 1)
    server = serve()
    step = server.step
    step.start(a, 1)
    swap(server, repository)
    step.start(a, 2)
    assert step.version == 2
    np.testing.assert_array_equal(step(b, 1)["y"], sums(a, b))
    assert step.version == 1
    np.testing.assert_array_equal(step(b, 2)["y"], sums(a, b, factor=3))
    assert step.ask.status("m")[1] == 30  # AVAILABLE
    assert refused(step.start, a, 3, version=1) == ("NOT_FOUND", "Servable not found for request: Specific(m, 1)")
    text = "Sequence 1 runs on version 1 of model m, the request asks for version 2"
    assert refused(step, a, 1, version=2) == ("FAILED_PRECONDITION", text)
    stateless = {"x": a, "lengths": np.int32([1]), "state_sum": np.float32([[0, 0]]), "state_seen": np.int64([0])}
    message = predict_request("m", stateless, signature="step")
    assert step.ask.prediction.Predict(message, timeout=30).model_spec.version.value == 2
    message.model_spec.version.value = 1
    assert step.ask.prediction.Predict(message, timeout=30).model_spec.version.value == 1
    np.testing.assert_array_equal(step.end(c, 1, version=1)["y"], sums(a, b, c))
    gone(server)
    np.testing.assert_array_equal(step(c, 2)["y"], sums(a, b, c, factor=3))


def test_a_label_that_points_to_a_draining_version_is_answered_but_starts_nothing(repository, serve, tmp_path):
    repository("running", 1)
    (tmp_path / "models").write_text(
        f'model_config_list {{ config {{ name: "m" base_path: "{repository.base}" model_platform: "tensorflow" '
        'version_labels { key: "stable" value: 1 } } }'
    )
    server = serve(model_config_file=str(tmp_path / "models"), allow_version_labels_for_unavailable_models=True)
    step = server.step
    step.start(a, 1, label="stable")
    swap(server, repository)
    wait_until(lambda: not server.manager.takes_sequences("m", 1))
    np.testing.assert_array_equal(step(b, 1, label="stable")["y"], sums(a, b))
    stateless = {"x": a, "lengths": np.int32([1]), "state_sum": np.float32([[0, 0]]), "state_seen": np.int64([0])}
    answer = step.ask.predict("m", stateless, signature="step", label="stable")
    np.testing.assert_array_equal(answer["y"], sums(a))
    text = "Servable not found for request: Specific(m, 1)"
    assert refused(step.start, a, 2, label="stable") == ("NOT_FOUND", text)
    step.start(a, 2)
    text = "Sequence 2 runs on version 2 of model m, the request asks for version 1"
    assert refused(step, a, 2, label="stable") == ("FAILED_PRECONDITION", text)
    np.testing.assert_array_equal(step.end(c, 1, label="stable")["y"], sums(a, b, c))
    gone(server)


def test_after_the_drain_time_a_sequence_cannot_go_on(repository, serve, monitored):
    repository("running", 1)
    server = serve(sequence_drain_seconds=60, **monitored)
    step = server.step
    step.start(a, 1)
    step.start(a, 2)
    step.start(a, 3)
    swap(server, repository)
    step(a, 1)
    server.clock.forward(61)
    gone(server)
    text = "Sequence {} cannot go on: version 1 of model m is not loaded and its drain time of 60 s has passed"
    assert refused(step, a, 1) == ("FAILED_PRECONDITION", text.format(1))
    assert refused(step, a, 1, version=1) == ("FAILED_PRECONDITION", text.format(1))
    assert refused(step.end, a, 1) == ("FAILED_PRECONDITION", text.format(1))
    assert refused(step.end, a, 1)[0] == "NOT_FOUND"
    np.testing.assert_array_equal(step.start(a, 2)["y"], sums(a, factor=3))  # found out by the start itself
    assert Rest(server.rest_port).error(
        "m", {"signature_name": "step", "inputs": {"sequence_id": 3, "sequence_control_input": 2}}
    ) == (412, text.format(3))
    assert server.sequences._store.live("m") == 1
    assert ended(server, "version") == 3


def test_with_fail_a_version_goes_at_once(repository, serve):
    repository("running", 1)
    server = serve(sequence_on_version_change="FAIL")
    step = server.step
    step.start(a, 1)
    swap(server, repository)
    gone(server)
    text = "Sequence 1 cannot go on: version 1 of model m is not loaded and on_version_change is FAIL"
    assert refused(step, a, 1) == ("FAILED_PRECONDITION", text)
    np.testing.assert_array_equal(step.start(a, 1)["y"], sums(a, factor=3))


def test_with_carry_the_state_goes_on_in_the_next_version(repository, serve):
    repository("running", 1)
    server = serve(sequence_on_version_change="CARRY")
    step = server.step
    step.start(a, 1, step=0)
    swap(server, repository)
    gone(server)
    np.testing.assert_array_equal(step.start(a, 1, step=0)["y"], sums(a))  # the kept answer, without a run
    assert refused(step.start, a, 1)[0] == "ALREADY_EXISTS"
    np.testing.assert_array_equal(step(b, 1, step=1)["y"], sums(a, b, factor=3))
    assert step.version == 2
    swap(server, repository, "running", 3)
    gone(server, 2)
    np.testing.assert_array_equal(step.end(c, 1, step=2)["y"], sums(a, b, c))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("other", "version 2 has no step signature"),
        ("wider", "state state_sum differs: float [-1,2] became float [-1,3]"),
        ("renamed", "state state_sum is absent in version 2"),
    ],
)
def test_a_state_that_the_next_version_has_not_cannot_be_carried(repository, serve, model, reason):
    repository("running", 1)
    server = serve(sequence_on_version_change="CARRY")
    step = server.step
    step.start(a, 1)
    swap(server, repository, model)
    gone(server)
    text = f"Sequence 1 cannot go on: version 1 of model m is not loaded and {reason}"
    assert refused(step, a, 1) == ("FAILED_PRECONDITION", text)
    swap(server, repository, "running", 3)
    gone(server, 2)
    assert refused(step, a, 1) == ("FAILED_PRECONDITION", text)  # it stays in that condition
    np.testing.assert_array_equal(step.start(a, 1)["y"], sums(a))


def test_a_model_without_any_version_is_not_found(repository, serve):
    repository("running", 1)
    server = serve(sequence_on_version_change="CARRY", file_system_poll_wait_seconds=0)
    step = server.step
    step.start(a, 1)
    server.manager.aspire("m", {})
    gone(server)
    assert refused(step, a, 1) == ("NOT_FOUND", "Servable not found for request: Latest(m)")
    server.manager.aspire("m", {1: str(repository.base / "1")})
    wait_until(lambda: server.manager.available("m"))
    np.testing.assert_array_equal(step(b, 1)["y"], sums(a, b))


def test_a_version_that_is_wanted_again_drains_no_more(repository, serve):
    repository("running", 1)
    server = serve()
    server.step.start(a, 1)
    swap(server, repository)
    wait_until(lambda: not server.manager.takes_sequences("m", 1))
    shutil.rmtree(repository.base / "2")
    gone(server, 2)
    assert server.manager.takes_sequences("m", 1)
    np.testing.assert_array_equal(server.step.start(a, 2)["y"], sums(a))


def test_resource_preserving_loads_beside_a_version_that_drains(repository, serve):
    repository("running", 1)
    server = serve(aspired_version_policy="resource_preserving")
    server.step.start(a, 1)
    swap(server, repository)
    np.testing.assert_array_equal(server.step(b, 1)["y"], sums(a, b))
    np.testing.assert_array_equal(server.step.start(b, 2)["y"], sums(b, factor=3))


def test_starts_and_steps_survive_swaps(repository, serve):
    repository("running", 1)
    server = serve(sequence_on_version_change="CARRY", grpc_max_threads=8)
    step, numbers = server.step, iter(range(1, 10**6))

    def drive():
        number = next(numbers)
        step.start(a, number)
        assert step(b, number)["number"].tolist() == [[2, 3]]
        assert step.end(c, number)["number"].tolist() == [[4]]

    with Background(drive) as driven:
        for version in (2, 3):
            swap(server, repository, ("running", "tripled")[version % 2 == 0], version)
            gone(server, version - 1)
            before = driven.calls
            wait_until(lambda before=before: driven.calls > before + 5 or driven.errors)
    assert not driven.errors


def test_a_stop_does_not_wait_for_draining(repository, serve):
    repository("running", 1)
    server = serve()
    server.step.start(a, 1)
    swap(server, repository)
    server.stop()
    assert not server.manager.available("m")


# restarts


@pytest.fixture
def restart(serve, tmp_path):
    """A server on the files of the one before, which ends first."""
    running = []

    def start(**flags):
        while running:
            running.pop().stop()
        running.append(serve(sequence_store=f"file:{tmp_path}/store", **flags))
        return running[-1]

    return start


def test_a_version_that_drains_is_there_for_its_sequences_after_a_restart(repository, restart):
    repository("running", 1)
    step = restart().step
    step.start(a, 1, step=0)
    repository("tripled", 2)
    server = restart()
    step = server.step
    assert server.manager.available("m") == [1, 2]  # from the first call on
    np.testing.assert_array_equal(step(b, 1, step=1)["y"], sums(a, b))
    assert step.version == 1
    step.start(a, 2)
    assert step.version == 2
    assert refused(step.start, a, 3, version=1) == ("NOT_FOUND", "Servable not found for request: Specific(m, 1)")
    np.testing.assert_array_equal(step.end(c, 1, step=2)["y"], sums(a, b, c))
    gone(server)
    np.testing.assert_array_equal(step(b, 2)["y"], sums(a, b, factor=3))


def test_after_a_restart_a_version_drains_for_its_time_and_no_longer(repository, restart):
    repository("running", 1)
    restart().step.start(a, 1)
    repository("tripled", 2)
    server = restart(sequence_drain_seconds=60)
    server.step(b, 1)
    server.clock.forward(61)
    gone(server)
    text = "Sequence 1 cannot go on: version 1 of model m is not loaded and its drain time of 60 s has passed"
    assert refused(server.step, a, 1) == ("FAILED_PRECONDITION", text)


def test_a_version_whose_folder_has_gone_was_not_drained(repository, restart):
    repository("running", 1)
    restart().step.start(a, 1)
    repository("tripled", 2)
    shutil.rmtree(repository.base / "1")
    step = restart().step
    text = "Sequence 1 cannot go on: version 1 of model m is not loaded and this server has not had it since its start"
    assert refused(step, a, 1) == ("FAILED_PRECONDITION", text)
    assert refused(step.end, a, 1) == ("FAILED_PRECONDITION", text)


@pytest.mark.parametrize("change", ["CARRY", "FAIL"])
def test_no_version_is_loaded_for_sequences_that_do_not_drain(repository, restart, change):
    repository("running", 1)
    restart().step.start(a, 1)
    repository("tripled", 2)
    assert restart(sequence_on_version_change=change).manager.available("m") == [2]


def test_a_sequence_that_cannot_go_on_stays_so_over_restarts(repository, restart):
    repository("running", 1)
    flags = {"sequence_on_version_change": "CARRY"}
    server = restart(**flags)
    server.step.start(a, 1, step=0)
    server.step.start(a, 2)
    swap(server, repository, "renamed")
    gone(server)
    text = "Sequence {} cannot go on: version 1 of model m is not loaded and state state_sum is absent in version 2"
    assert refused(server.step, a, 1, step=1) == ("FAILED_PRECONDITION", text.format(1))
    assert refused(server.step, a, 2) == ("FAILED_PRECONDITION", text.format(2))
    shutil.rmtree(repository.base / "2")
    server = restart(**flags)  # version 1 is back
    np.testing.assert_array_equal(server.step.start(a, 1, step=0)["y"], sums(a))  # the kept answer, without a run
    assert refused(server.step, a, 1, step=1) == ("FAILED_PRECONDITION", text.format(1))
    assert refused(server.step.end, a, 2) == ("FAILED_PRECONDITION", text.format(2))
    assert refused(server.step, a, 2)[0] == "NOT_FOUND"
    np.testing.assert_array_equal(server.step.start(b, 1)["y"], sums(b))  # a new one in its place
    np.testing.assert_array_equal(server.step(c, 1)["y"], sums(b, c))
