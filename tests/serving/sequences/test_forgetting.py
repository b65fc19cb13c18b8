"""Sequences that nobody uses, and limits."""

import numpy as np
import pytest

from serving.sequences.store import Key
from tests.serving.asking import Rest, refused
from tests.serving.sequences.conftest import ended
from tests.serving.sequences.driving import UNKNOWN, sums
from tests.serving.sequences.models import chunk

a, b = chunk(1, 2)


@pytest.fixture
def served(repository, serve):
    def start(**flags):
        repository("running", 1)
        server = serve(file_system_poll_wait_seconds=0, **flags)
        server.scan = server.sequences._forgetting.scan
        return server

    return start


def test_a_sequence_without_a_call_since_the_scan_before_is_removed(served, monitored):
    server = served(**monitored)
    server.step.start(a, 1)
    server.step.start(a, 2)
    server.clock.forward(5 * 60)
    server.scan()  # both were used after the one before, the start of the server
    server.step(a, 2)
    server.clock.forward(4 * 60)
    server.scan()  # not due
    server.clock.forward(60)
    server.scan()
    assert refused(server.step, a, 1) == UNKNOWN
    np.testing.assert_array_equal(server.step(a, 2)["y"], sums(a, a, a))
    assert ended(server, "idle") == 1


@pytest.mark.parametrize("flags", [{"idle_sequence_cleanup": False}, {"sequence_cleaner_poll_wait_minutes": 0}])
def test_without_scans_nothing_is_removed(served, flags):
    server = served(**flags)
    server.step.start(a, 1)
    for _ in range(3):
        server.clock.forward(10 * 60)
        server.scan()
    np.testing.assert_array_equal(server.step(a, 1)["y"], sums(a, a))


def test_with_a_ttl_a_sequence_goes_exactly_when_it_is_older(served):
    server = served(sequence_idle_ttl_seconds=30, sequence_cleaner_poll_wait_minutes=0)
    server.step.start(a, 1)
    server.clock.forward(29)
    server.step(a, 1)
    server.clock.forward(29)
    refused(server.step, a.astype(np.float64), 1)  # a failed call is no use
    server.clock.forward(2)
    assert refused(server.step, a, 1) == UNKNOWN
    np.testing.assert_array_equal(server.step.start(a, 1)["y"], sums(a))


def test_scans_heed_the_ttl(served):
    server = served(sequence_idle_ttl_seconds=600)
    server.step.start(a, 1)
    server.clock.forward(500)
    server.scan()
    assert server.sequences._store.live("m") == 1
    server.clock.forward(500)
    server.scan()
    assert server.sequences._store.live("m") == 0


def test_a_sequence_at_work_is_not_removed(served):
    server = served()
    server.step.start(a, 1)
    server.clock.forward(5 * 60)
    server.scan()
    server.clock.forward(5 * 60)
    with server.sequences._turns.turn(Key("m", 1)):
        server.scan()
    np.testing.assert_array_equal(server.step(a, 1)["y"], sums(a, a))


def test_what_is_kept_of_an_ended_sequence_goes_after_its_time(served):
    server = served(sequence_retain_ended_seconds=10)
    server.step.start(a, 1, step=0)
    server.step.end(a, 1, step=1)
    server.step.start(a, 2, step=0)
    server.clock.forward(9)
    np.testing.assert_array_equal(server.step.end(a, 1, step=1)["y"], sums(a, a))
    server.clock.forward(2)
    assert refused(server.step.end, a, 1, step=1) == UNKNOWN
    server.step.end(a, 2, step=1)
    server.clock.forward(11)
    server.step.start(a, 3, step=0)
    before = server.sequences._store.nbytes()
    server.step.end(a, 3, step=1)  # another end clears those that are over
    assert server.sequences._store.nbytes() <= before
    assert server.sequences._store.live("m") == 0


def test_at_the_memory_limit_starts_are_refused_and_live_ones_go_on(served):
    server = served(sequence_memory_limit_bytes=2000, sequence_idle_ttl_seconds=60)
    numbers = iter(range(1, 100))
    text = "Sequence memory limit of 2000 bytes has been reached. Could not create new sequence."
    while server.sequences._store.nbytes() < 2000:
        server.step.start(a, next(numbers))
    assert refused(server.step.start, a, 99) == ("UNAVAILABLE", text)
    inputs = {"x": a.tolist(), "sequence_id": 99, "sequence_control_input": 1}
    body = {"signature_name": "step", "inputs": inputs}
    assert Rest(server.rest_port).error("m", body) == (503, text)
    np.testing.assert_array_equal(server.step(b, 1)["y"], sums(a, b))
    server.clock.forward(61)
    np.testing.assert_array_equal(server.step.start(a, 99)["y"], sums(a))  # idle ones went first
    assert server.sequences._store.live("m") == 1
