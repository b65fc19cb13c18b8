"""Several servers with one Redis."""

import shutil

import numpy as np
import pytest

from serving.client import GrpcClient
from serving.sequences.store import Key
from tests.serving.asking import Rest, refused, wait_until
from tests.serving.sequences.driving import sums
from tests.serving.sequences.models import chunk

a, b, c = chunk(1, 2, 1)


@pytest.fixture
def two(repository, serve, redis_server):
    """Two servers of the same model."""
    repository("running", 1)
    return [serve(sequence_store=redis_server.url, max_sequence_number=2) for _ in range(2)]


def test_a_sequence_goes_on_at_another_server(two):
    one, other = (server.step for server in two)
    np.testing.assert_array_equal(one.start(a, "s", step=0)["y"], sums(a))
    np.testing.assert_array_equal(other.start(a, "s", step=0)["y"], sums(a))  # the kept answer
    np.testing.assert_array_equal(other(b, "s", step=1)["y"], sums(a, b))
    np.testing.assert_array_equal(one(b, "s", step=1)["y"], sums(a, b))  # the kept answer
    np.testing.assert_array_equal(one.end(c, "s", step=2)["y"], sums(a, b, c))
    np.testing.assert_array_equal(other.end(c, "s", step=2)["y"], sums(a, b, c))  # the kept answer
    assert refused(other, a, "s") == ("NOT_FOUND", "Sequence with provided ID does not exist")
    np.testing.assert_array_equal(other.start(b, "s")["y"], sums(b))
    assert refused(one.start, a, "s") == ("ALREADY_EXISTS", "Sequence with provided ID already exists")


def test_it_outlives_every_server(two, serve, redis_server):
    two[0].step.start(a, 1)
    for server in two:
        server.stop()
    np.testing.assert_array_equal(serve(sequence_store=redis_server.url).step(b, 1)["y"], sums(a, b))


def test_the_most_sequences_are_counted_over_both(two):
    two[0].step.start(a, 1)
    two[1].step.start(a, 2)
    text = "Max sequence number has been reached. Could not create new sequence."
    assert refused(two[0].step.start, a, 3) == ("UNAVAILABLE", text)
    two[1].step.end(None, 1)
    two[0].step.start(a, 3)
    assert [server.sequences._store.live("m") for server in two] == [2, 2]


def test_a_step_whose_sequence_was_taken_over_changes_nothing(two, redis_server, monkeypatch):
    one, other = two
    one.step.start(a, 1)
    write = one.sequences._store.write
    lease = "sequence-lease:{m}:u:1"

    def late(changes):
        """The server stands still before it writes; meanwhile its lease runs out, and the other one makes a step."""
        monkeypatch.setattr(one.sequences._store, "write", write)
        redis_server.client.set(lease, redis_server.client.get(lease).split()[0] + b" 0")
        other.step(b, 1)
        return write(changes)

    text = "Sequence 1 was taken over by another server; repeat the step"
    monkeypatch.setattr(one.sequences._store, "write", late)
    assert refused(one.step, a, 1) == ("ABORTED", text)
    np.testing.assert_array_equal(one.step(c, 1)["y"], sums(a, b, c))
    monkeypatch.setattr(one.sequences._store, "write", late)
    body = {"signature_name": "step", "inputs": {"x": a.tolist(), "sequence_id": 1}}
    assert Rest(one.rest_port).error("m", body) == (409, text)
    np.testing.assert_array_equal(other.step.end(c, 1)["y"], sums(a, b, c, b, c))


def test_a_call_whose_deadline_is_over_before_it_gets_the_lease_is_not_run(two):
    one, other = two
    one.step.start(a, 1)
    one.sequences._store.read(Key("m", 1))  # as if at work
    assert refused(other.step, b, 1, timeout=0.2)[0] == "DEADLINE_EXCEEDED"
    one.sequences._store.release(Key("m", 1))
    np.testing.assert_array_equal(other.step(c, 1)["y"], sums(a, c))


def test_without_redis_calls_say_so_and_go_on_when_it_is_back(repository, serve, own_redis):
    repository("running", 1)
    server = serve(sequence_store=own_redis.url)
    step, rest = server.step, Rest(server.rest_port)
    step.start(a, "s", step=0)
    own_redis.kill()
    code, text = refused(step, b, "s", step=1)
    assert (code, text[:34]) == ("UNAVAILABLE", "Sequence store is not reachable: E")
    body = {"signature_name": "step", "inputs": {"x": a.tolist(), "sequence_id": "s"}}
    status, text = rest.error("m", body)
    assert (status, text[:34]) == (503, "Sequence store is not reachable: E")
    stateless = step.stateless(x=a, lengths=np.int32([1]), state_sum=np.float32([[0, 0]]), state_seen=np.int64([0]))
    np.testing.assert_array_equal(stateless["y"], sums(a))
    assert "sequence:active" not in server.metrics.text()
    own_redis.start()
    np.testing.assert_array_equal(step(b, "s", step=1)["y"], sums(a, b))
    assert 'sequence:active{model_name="m"} 1' in server.metrics.text()


def idle(server):
    """Those that this server has counted as idle."""
    return server.sequences._metrics.ended._counts.get(("m", "idle"), 0)


def test_what_is_idle_goes_whichever_server_looks(two, redis_server):
    one, other = two
    one.step.start(a, 1)
    one.step.start(a, 2)
    other.clock.forward(400)
    other.sequences._forgetting.scan()
    assert other.sequences._store.live("m") == 2  # both were used since the scan before, the start of the server
    seconds, micros = redis_server.client.time()
    long_ago = (seconds - 500) * 10**6 + micros
    redis_server.client.hset("seq:{m}:u:1", "used", long_ago)
    redis_server.client.zadd("sequences-live:{m}", {"u:1": long_ago})
    other.clock.forward(400)
    other.sequences._forgetting.scan()
    assert [server.sequences._store.live("m") for server in two] == [1, 1]
    assert not redis_server.client.exists("seq:{m}:u:1")
    assert (idle(one), idle(other)) == (0, 1)
    assert refused(one.step, a, 1)[0] == "NOT_FOUND"
    np.testing.assert_array_equal(one.step(b, 2)["y"], sums(a, b))


def test_what_redis_has_forgotten_counts_as_idle_too(two, redis_server):
    one, other = two
    one.step.start(a, 1)
    redis_server.client.delete("seq:{m}:u:1")  # as when its time is over
    assert refused(other.step, a, 1)[0] == "NOT_FOUND"
    assert refused(one.step, a, 1)[0] == "NOT_FOUND"
    assert (idle(one), idle(other)) == (0, 1)
    assert one.sequences._store.live("m") == 0


def test_our_client_goes_on_at_the_other_server_when_one_is_lost(two):
    with (
        GrpcClient(f"localhost:{two[0].grpc_port}", timeout=10) as one,
        GrpcClient(f"localhost:{two[1].grpc_port}", timeout=10) as other,
        one.sequence("m", other) as sequence,
    ):
        np.testing.assert_array_equal(sequence.step({"x": a})["y"], sums(a))
        two[0].stop()
        np.testing.assert_array_equal(sequence.step({"x": b})["y"], sums(a, b))
        np.testing.assert_array_equal(sequence.end({"x": c})["y"], sums(a, b, c))


def test_a_server_that_never_had_the_version_does_not_end_the_sequence_for_the_others(repository, serve, redis_server):
    repository("running", 1)
    late = serve(sequence_store=redis_server.url, file_system_poll_wait_seconds=0)  # does not see version 2
    repository("tripled", 2)
    one = serve(sequence_store=redis_server.url)
    one.step.start(a, 1)
    text = "Sequence 1 cannot go on: version 2 of model m is not loaded and this server has not had it since its start"
    assert refused(late.step, b, 1) == ("FAILED_PRECONDITION", text)
    np.testing.assert_array_equal(one.step(b, 1)["y"], sums(a, b, factor=3))


def test_a_sequence_that_cannot_go_on_stays_so_at_every_server(repository, serve, redis_server):
    repository("running", 1)
    one = serve(sequence_store=redis_server.url, sequence_on_version_change="FAIL")
    one.step.start(a, 1)
    repository("tripled", 2)
    wait_until(lambda: one.manager.available("m") == [2])
    text = "Sequence 1 cannot go on: version 1 of model m is not loaded and on_version_change is FAIL"
    assert refused(one.step, b, 1) == ("FAILED_PRECONDITION", text)
    shutil.rmtree(repository.base / "2")
    other = serve(sequence_store=redis_server.url)  # has version 1 again
    assert refused(other.step, b, 1) == ("FAILED_PRECONDITION", text)
    np.testing.assert_array_equal(other.step.start(b, 1)["y"], sums(b))
