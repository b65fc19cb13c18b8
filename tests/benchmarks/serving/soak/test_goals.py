"""Verdicts on made-up runs."""

import json
from pathlib import Path

import pytest

from benchmarks.serving.soak import goals, report
from benchmarks.serving.soak.__main__ import save

ROOT = Path(__file__).parents[4]
MACHINE = {"processor": "P", "cores": "2", "load": "0.1", "system": "S", "python": "3", "tensorflow": "2"}


def swap_row(taken, failures=0):
    load = {"answers": 70, "failures": failures, "errors": []}
    row = {"part": "swaps", "swaps": len(taken), "reloads": len(taken), "threads": 4, "seconds": 9}
    return row | {"grpc": load, "rest": load, "taken": taken}


def fuzz_row(complaints=()):
    took = {"resident_mib": 600.0, "threads": 9, "files": 12}
    return {
        "part": "fuzz", "seed": 3, "inputs": 40, "distinct": 30, "seconds": 5, "complaints": list(complaints),
        "answers": {"REST, JSON": {"400": 30, "200": 10}}, "before": took, "after": took | {"resident_mib": 650.0},
    }  # fmt: skip


FLAT = [[600 + i % 3, 20, 30] for i in range(500)]


def held(row):
    return [verdict.holds for verdict in goals.verdicts(row)]


def test_a_flat_run_without_a_failure_holds_all():
    assert held(swap_row(FLAT)) == [True] * 4
    assert held(fuzz_row()) == [True] * 2
    assert held(fuzz_row() | {"taken": FLAT[:11]}) == [True] * 4


def test_one_round_of_inputs_tells_of_no_growth():
    assert held(fuzz_row() | {"taken": FLAT[:1]}) == [True] * 2


@pytest.mark.parametrize(("grown", "which"), [([8, 0, 0], 1), ([0, 1, 0], 2), ([0, 0, 1], 3)])
def test_what_grows_from_round_to_round_is_seen(grown, which):
    taken = [[value + grown[at] * i for at, value in enumerate(row)] for i, row in enumerate(FLAT[:11])]
    found = held(fuzz_row() | {"taken": taken})
    assert found == [at != which for at in range(4)]


@pytest.mark.parametrize(
    ("grown", "which"), [([0.1, 0, 0], 1), ([-0.1, 0, 0], 1), ([0, 0.02, 0], 2), ([0, 0, 0.01], 3)]
)
def test_what_grows_is_seen(grown, which):
    taken = [[value + grown[at] * i for at, value in enumerate(row)] for i, row in enumerate(FLAT)]
    assert held(swap_row(taken)) == [at != which for at in range(4)]


def test_pools_may_begin_a_thread_for_each_caller_and_files_may_not_come_with_them():
    taken = [[600, 20 + (6 if i > 400 else 0), 30] for i in range(500)]
    assert held(swap_row(taken)) == [True] * 4
    assert held(swap_row([[mib, 20, threads] for mib, threads, _ in taken])) == [True, True, True, False]


def test_threads_that_come_and_go_are_no_growth_and_files_are():
    taken = [[600, 20, 30] for _ in range(12)]
    taken[9][1] += 10  # as a version's that has compiled something
    assert held(fuzz_row() | {"taken": taken}) == [True] * 4
    taken[9][2] += 10
    assert held(fuzz_row() | {"taken": taken}) == [True, True, True, False]


def test_one_failure_is_one_too_many():
    assert held(swap_row(FLAT, failures=1)) == [False, True, True, True]
    assert held(fuzz_row([{"kind": "x", "input": "", "complaint": "y"}])) == [False, True]


def test_the_stretches_are_the_first_and_last_hundred_or_a_third_of_a_short_run():
    first, last = goals.stretches(swap_row([[i, 0, 0] for i in range(500)]), "resident_mib")
    assert (first, last) == (list(range(100)), list(range(400, 500)))
    first, last = goals.stretches(swap_row([[i, 0, 0] for i in range(30)]), "resident_mib")
    assert (first, last) == (list(range(10)), list(range(20, 30)))


def test_the_page_says_what_was_found():
    rows = [{"machine": MACHINE} | row for row in (fuzz_row(), swap_row(FLAT, failures=1))]
    page = report.render({"rows": rows}, "soak.json")
    assert page.count("The machine: P, 2 cores, load 0.1 before the run, S, Python 3,\nTensorFlow 2.") == 2
    assert "40 inputs, 30 of them different, in 5 s, seed 3" in page
    assert "| REST, JSON | 40 | 400 30, 200 10 |" in page
    assert "| no request fails | **does not hold** | 2 of 142 |" in page
    assert "| 500 | 601 | 20 | 30 |" in page
    assert "600 MiB at the start, 650 MiB at the end.\n" in page  # a run from before the rounds were noted


def test_the_page_shows_the_rounds_of_inputs():
    row = {"machine": MACHINE} | fuzz_row() | {"taken": [[600.4, 20, 30], [611.0, 21, 31]]}
    page = report.render({"rows": [row]}, "soak.json")
    assert "| round | MiB | threads | files |\n|---|---|---|---|\n| 1 | 600 | 20 | 30 |\n| 2 | 611 | 21 | 31 |" in page
    assert "| no more threads at the end | **holds** | 20 as a rule, 20 at most, then 21, 21 |" in page


def test_the_page_in_the_docs_is_made_of_the_run_that_lies_beside_it(tmp_path):
    name = "benchmarks/results/soak.json"
    results = json.loads((ROOT / name).read_text()) if (ROOT / name).exists() else {"rows": []}
    page = report.render(results, name)
    assert (ROOT / "docs/soak.md").read_text() == page
    assert report.main([str(tmp_path / "absent.json"), str(tmp_path / "page.md")]) == 0
    assert "No run is saved so far." in (tmp_path / "page.md").read_text()


def test_a_part_that_was_not_run_keeps_its_row(tmp_path):
    path = tmp_path / "soak.json"
    save(path, [fuzz_row(), swap_row(FLAT)])
    save(path, [swap_row(FLAT[:30])])
    rows = json.loads(path.read_text())["rows"]
    assert [(row["part"], row.get("swaps")) for row in rows] == [("fuzz", None), ("swaps", 30)]
