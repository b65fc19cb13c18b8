import pytest

from benchmarks.serving.goals import MUST, TARGETS
from tests.benchmarks.serving.made_up_load import BARE, load

MORE, MEDIAN, LATE, ECHO, LONE, START, MEMORY, ERRORS = MUST


def misses(goal, *rows):
    return [str(miss) for miss in goal.verdict([BARE, *rows])[1]]


def test_a_server_that_is_ahead_of_all_holds_every_goal():
    rows = [load("ours", concurrency=at, rate=900, p50=0.7, p99=1) for at in (1, 8, 32, 128)]
    rows += [load("FastAPI", concurrency=at, rate=400, p50=2, p99=9) for at in (1, 8, 32, 128)]
    rows += [load("echo", rate=1000)]
    assert [goal.verdict([BARE, *rows])[0] for goal in [*MUST, *TARGETS]] == ["held"] * 9


def test_a_rival_that_answers_more_is_named_with_the_place():
    found = misses(MORE, load("ours", rate=800), load("FastAPI", rate=1000), load("LitServe", rate=700))
    assert found == ["rest at 32 against FastAPI: 0.8, asked 1"]


def test_both_of_our_forms_meet_every_rival():
    found = misses(MEDIAN, load("ours", p50=1), load("ours", "grpc", p50=4), load("FastAPI", p50=2))
    assert found == ["grpc at 32 against FastAPI: 0.5, asked 1"]


def test_the_99th_percentile_of_a_lone_connection_is_not_asked():
    slow, quick = load("ours", concurrency=1, p99=9), load("FastAPI", concurrency=1, p99=1)
    assert misses(LATE, slow, quick) == []
    assert len(misses(LATE, slow | {"concurrency": 8}, quick | {"concurrency": 8})) == 1


def test_the_echo_is_no_rival_but_a_floor():
    rows = [load("ours", rate=500), load("echo", rate=1000), load("ours", "grpc", rate=650), load("echo", "grpc")]
    assert misses(MORE, *rows) == []
    assert misses(ECHO, *rows) == ["rest at 32: 0.5, asked 0.55"]
    assert misses(TARGETS[0], *rows) == ["rest at 32: 0.5, asked 0.7", "grpc at 32: 0.65, asked 0.7"]


def test_a_step_is_held_against_steps_and_the_bare_call_of_one():
    bare = BARE | {"step_ms": 0.05}

    def found(goal, *rows):
        return [str(miss) for miss in goal.verdict([bare, *rows])[1]]

    ours = load("ours", request="step", rate=600, p50=0.7)
    assert found(MORE, ours, load("FastAPI", rate=9000)) == []
    theirs = load("FastAPI", request="step", rate=1200)
    assert found(MORE, ours, theirs) == ["one step, rest at 32 against FastAPI: 0.5, asked 1"]
    echo = [load("echo", rate=9000), load("echo", request="step", rate=2400)]
    assert found(ECHO, ours, *echo) == ["one step, rest at 32: 0.25, asked 0.55"]
    lone = load("ours", request="step", concurrency=1, p50=0.7, start=9.0, mib=900.0)
    assert found(LONE, lone) == ["one step, rest at 1: 0.65, asked 0.6"]
    assert found(START, lone) == found(MEMORY, lone) == []  # the server is the one of the sequences


@pytest.mark.parametrize(
    ("goal", "row", "reached"),
    [
        (LONE, load("ours", concurrency=1, p50=0.9), "rest at 1: 0.7, asked 0.6"),
        (START, load("ours", concurrency=1, start=3.5), "rest: 2, asked 1.5"),
        (MEMORY, load("ours", concurrency=1, mib=650.0), "rest: 200, asked 150"),
        (ERRORS, load("ours", errors=3), "rest at 32: 3, asked 0"),
    ],
)
def test_what_lies_over_its_limit_is_a_miss(goal, row, reached):
    assert misses(goal, row) == [reached]
