import pytest

from benchmarks.serving.sequences.goals import MUST, TARGETS
from benchmarks.serving.sequences.report import joined, render

MACHINE = {"processor": "p", "cores": "2", "load": "0.1", "system": "s", "python": "3"}
PASSED, OF_CHAR_LM, WRITTEN, FILE, SYNCED, ADDED, MEMORY, AMONG, FIRST, TOGETHER, ERRORS = MUST


def load(server="memory", kind="held", model="char-lm", form="grpc", concurrency=32, rate=1000.0, errors=0):
    return {
        "part": "load",
        "model": model,
        "server": server,
        "kind": kind,
        "form": form,
        "concurrency": concurrency,
        "rate": rate,
        "p50": 1.0,
        "p99": 2.0,
        "requests": 10,
        "errors": errors,
    }


def misses(goal, *rows):
    return [str(miss) for miss in goal.verdict(list(rows))[1]]


def test_states_in_memory_are_held_against_the_states_that_a_client_passes_over_the_same_face():
    passed = load(kind="passed", rate=1100.0)
    assert misses(PASSED, load(), passed) == ["char-lm over grpc at 32: 0.909, asked 1"]
    assert misses(PASSED, load(form="rest"), passed) == []
    assert misses(OF_CHAR_LM, load(rate=1300.0), passed) == ["char-lm over grpc at 32: 1.18, asked 1.2"]
    assert misses(OF_CHAR_LM, load(model="lstm"), load(kind="passed", model="lstm")) == []


def test_a_hand_written_server_that_does_more_is_named():
    theirs = load("FastAPI", "hand-written", form="rest", rate=2000.0)
    assert misses(WRITTEN, load(), theirs) == ["char-lm over grpc at 32 against FastAPI: 0.5, asked 1"]
    assert misses(WRITTEN, load(concurrency=1), theirs) == []


def test_a_file_is_held_against_memory_at_32_connections():
    assert misses(FILE, load(), load("file", rate=500.0)) == ["char-lm over grpc at 32: 0.5, asked 0.6"]
    assert misses(SYNCED, load(), load("file, sync=always", rate=500.0)) == []
    assert misses(FILE, load(concurrency=1), load("file", rate=5.0, concurrency=1)) == []


def test_what_the_other_parts_must_reach():
    assert misses(ADDED, {"part": "added", "model": "lstm", "form": "grpc", "held": 0.8, "alone": 0.6}) == [
        "lstm over grpc: 0.2, asked 0.15"
    ]
    live = {"part": "live", "sequences": 100_000, "idle_mib": 400.0, "with_many_mib": 800.0, "few": 100.0, "many": 70.0}
    assert misses(MEMORY, live) == ["100000 sequences: 419, asked 400"]
    assert misses(AMONG, live) == ["100000 sequences: 0.7, asked 0.8"]
    streams = {"part": "streams", "first_ms": 3.5, "32_to_1": 3.0}
    assert misses(FIRST, streams) == ["char-lm: 3.5, asked 3"]
    assert misses(TOGETHER, streams) == ["char-lm: 3, asked 4"]
    assert misses(TARGETS[0], streams) == ["char-lm: 3, asked 8"]
    assert misses(ERRORS, load("file", errors=2)) == ["file, char-lm over grpc at 32: 2, asked 0"]


@pytest.mark.parametrize("goal", MUST)
def test_what_was_not_measured_is_not_held(goal):
    assert goal.verdict([])[0] == "not measured"


def test_passes_become_their_median_and_their_errors_are_counted():
    rows, passes = joined([load(rate=rate, errors=1) for rate in (1.0, 9.0, 4.0)])
    assert passes == 3
    assert [(row["rate"], row["errors"]) for row in rows] == [(4.0, 3)]


def test_the_page_has_a_line_for_each_server_and_way():
    rows = [load(concurrency=at) for at in (1, 32)]
    rows += [load(kind="passed", rate=700.0), load("Ray Serve", "hand-written", form="rest", rate=50.0)]
    page = render([*rows, {"part": "absent", "server": "redis"}], MACHINE, ["a.json"], "Why.")
    assert "| ours, memory | gRPC | 1000 / 1 / 2 | 1000 / 1 / 2 |" in page
    assert "| passed by the client | gRPC | - | 700 / 1 / 2 |" in page
    assert "| Ray Serve | REST | - | 50 / 1 / 2 |" in page
    assert "Not measured in this run: redis." in page
    assert "\n\nWhy.\n\n" in page


def test_the_memory_of_many_sequences_says_what_the_warm_up_took_where_that_is_known():
    live = {"part": "live", "model": "lstm", "state_bytes": 8, "sequences": 100_000, "few": 9.0, "many": 8.0}
    live |= {"idle_mib": 400.0, "with_many_mib": 700.0}
    assert "take 315 MB over the idle server. Steps" in render([live], MACHINE, ["a.json"])
    page = render([live | {"warm_mib": 500.0}], MACHINE, ["a.json"])
    assert "take 315 MB over the idle server, 105 MB of them by the warm-up with 1,000. Steps" in page


def test_the_threads_of_a_step_are_shown():
    row = {"part": "threads", "model": "lstm", "kind": "passed", "form": "grpc", "concurrency": 32}
    page = render([row | {"step_us": 500.4, "busiest_us": 380.0, "others_us": 210.0}], MACHINE, ["a.json"])
    assert "| lstm | passed by the client | gRPC | 32 | 500 | 380 | 210 |" in page
