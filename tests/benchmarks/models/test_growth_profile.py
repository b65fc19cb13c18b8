"""The profile of what grows too fast: which doublings it takes, its arithmetic, and a run on a toy."""

import mmap
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import tensorflow as tf

from benchmarks.models import growth_profile
from benchmarks.models.cases import Case
from tests.benchmarks.models.made_up import grown, timed

ROOT = Path(__file__).parents[3]


def test_the_doublings_over_twice_the_time_are_taken_the_farthest_first():
    rows = [
        timed(0.5, 1.0, 0.25),
        grown("time", (32, 100, 8, 8), 1.0, 50.0),
        grown("time", (32, 200, 8, 8), 2.1, 60.0),
        grown("time", (32, 400, 8, 8), 4.0, 60.0),
        grown("batch", (32, 100, 8, 8), 1.0, 50.0),
        grown("batch", (64, 100, 8, 8), 2.5, 60.0),
    ]
    found = growth_profile.pairs_over(rows)
    assert [(astuple(small)[2:4], astuple(large)[2:4], name) for small, large, name in found] == [
        ((32, 100), (64, 100), "ours"),
        ((32, 100), (32, 200), "ours"),
    ]
    assert found[0][0] == Case("LSTM", "gradients", 32, 100, 8, 8)


def test_what_is_the_farthest_over_twice_itself_stands_first():
    before, after = {"product": 10.0, "copy": 1.0, "gone": 5.0}, {"product": 19.0, "copy": 3.5, "new": 0.25}
    assert growth_profile.table(before, after)[2:] == [
        "| copy | 1 | 3.5 | 3.50 | +1.5 |",
        "| new | 0 | 0.25 | - | +0.25 |",
        "| product | 10 | 19 | 1.90 | -1 |",
    ]


def test_parts_are_medians_of_rounds_taken_in_turns():
    turns = []

    def measure(name, *rounds):
        left = list(rounds)

        def once():
            turns.append(name)
            return left.pop(0)

        return once

    small = measure("small", {"copy": 1.0}, {"copy": 9.0, "rare": 4.0}, {"copy": 2.0})
    large = measure("large", {"copy": 5.0}, {"copy": 4.0}, {"copy": 7.0})
    assert growth_profile.in_turns([small, large], 3) == [{"copy": 2.0, "rare": 0.0}, {"copy": 5.0}]
    assert turns == ["small", "large"] * 3


def test_operations_of_each_step_stand_apart_from_the_others():
    once, often = tf.function(lambda x: tf.linalg.matmul(x, x), jit_compile=True), 20
    x = tf.eye(64)
    found = growth_profile.by_operation(lambda: [once(x) for _ in range(often)], steps=often, calls=2)
    assert found["all that runs each step, ms"] > 0
    product = {part for part in found if "matmul" in part.lower() and "each step" in part}
    assert product, found
    found = growth_profile.by_operation(lambda: once(x), steps=often, calls=2)
    assert "all that runs each step, ms" not in found
    assert found["all that runs a few times, ms"] > 0


def test_a_call_that_fills_memory_has_page_faults_and_one_that_does_nothing_has_none():
    none = growth_profile.of_the_process(lambda: None)
    assert none["page faults"] < 100

    def fill():
        with mmap.mmap(-1, 40_000_000) as pages:  # new ones each time, whatever the process has kept of its own
            for at in range(0, len(pages), mmap.PAGESIZE):
                pages[at] = 1

    filled = growth_profile.of_the_process(fill)
    assert filled["page faults"] > none["page faults"]
    assert filled["the processor in the process, ms"] + filled["the processor in the kernel, ms"] > 0


def test_the_quick_run_prints_the_parts_of_both_sizes():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.models.growth_profile", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "## LSTM, ours halves, 2, 5, 3, 4 to 2, 10, 3, 4: time doubled" in done.stdout
    for part in (
        "page faults",
        "MatMul, each step, ms",
        "all that runs each step, ms",
        "all that runs a few times, ms",
    ):
        assert f"| {part} |" in done.stdout, done.stdout
