"""The guarantees of sequences under faults, and that the checker sees when one does not hold."""

import pytest

from tests.serving.sequences.checker.chaos import EVENTS
from tests.serving.sequences.checker.follow import ViolationError
from tests.serving.sequences.checker.run import Run
from tests.serving.sequences.redis_server import WHY_NOT, redis_program

needs_redis = pytest.mark.skipif(redis_program() is None, reason=WHY_NOT)


@pytest.mark.parametrize(
    ("store", "seed", "change"),
    [
        ("memory", 7, "CARRY"),
        ("file", 7, "CARRY"),
        ("file", 8, "DRAIN"),
        pytest.param("redis", 7, "CARRY", marks=needs_redis),
    ],
)
def test_every_acknowledged_step_counts_once_whatever_happens(store, seed, change):
    run = Run(store, steps=400, seed=seed, clients=8, steps_an_event=50)()
    assert run.change == change
    assert run.counts["steps"] >= 400
    assert set(run.events) == set(EVENTS[store])
    assert run.counts["answer: UNAVAILABLE"] > 0
    assert store == "memory" or "lost, as the store may" not in run.counts


@pytest.mark.parametrize(
    ("fault", "store", "events", "seen"),
    [
        ("counted_twice", "memory", (), "must be answered|does not follow"),
        ("lost_write", "memory", (), "does not follow|must be answered|does not exist"),
        ("state_of_another", "memory", (), "must be answered"),
        pytest.param("stale_lease", "redis", ("still",), "does not follow|must be answered", marks=needs_redis),
    ],
)
def test_a_planted_fault_is_found(fault, store, events, seen):
    with pytest.raises(ViolationError, match=seen):
        Run(store, steps=20_000, seed=1, clients=12, steps_an_event=60, events=events, fault=fault)()
