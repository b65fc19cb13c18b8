"""Intervals: held against formulas for the mean, and the F1 against one counted by hand."""

import numpy as np
import pytest

from training.outcomes import f1_of, mean_of, rate_of

NINETY_FIVE_PERCENT = 1.96


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).exponential(2.0, 900)
    outcome = mean_of(values)
    assert outcome.figure() == pytest.approx(values.mean())
    half = NINETY_FIVE_PERCENT * values.std() / np.sqrt(len(values))
    assert outcome.interval() == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)


def test_neighbours_that_are_alike_are_not_taken_for_independent():
    values = np.repeat(np.random.default_rng(1).normal(size=2000), 10)
    half = NINETY_FIVE_PERCENT * values.std() / np.sqrt(2000)
    low, high = mean_of(values, block=40).interval()
    assert high - low == pytest.approx(2 * half, rel=0.2)
    low, high = mean_of(values).interval()
    assert high - low == pytest.approx(2 * half / np.sqrt(10), rel=0.15)


def test_each_example_is_drawn_as_often_as_any_other_in_blocks_too():
    only_the_last = np.zeros(50)
    only_the_last[-1] = 50.0
    outcome = mean_of(only_the_last, block=7)
    draws = [outcome.interval(seed) for seed in range(5)]
    assert all(low <= 1.0 <= high for low, high in draws)
    assert max(high for _, high in draws) > 1.0


def test_a_rate_weighs_each_example_by_its_count():
    outcome = rate_of(np.array([1, 9]), np.array([1, 10]))
    assert outcome.figure() == pytest.approx(10 / 11)
    low, high = outcome.interval()
    assert (low, high) == pytest.approx((0.9, 1.0))


def test_the_f1_by_hand():
    found_right, found, to_be_found = np.array([1, 0, 2]), np.array([2, 0, 2]), np.array([1, 3, 2])
    outcome = f1_of(found_right, found, to_be_found)
    precision, recall = 3 / 4, 3 / 6
    assert outcome.figure() == pytest.approx(2 * precision * recall / (precision + recall))


def test_of_one_value_there_is_no_doubt_and_one_seed_gives_one_interval():
    assert mean_of(np.full(9, 0.25), block=4).interval() == (0.25, 0.25)
    values = np.random.default_rng(2).normal(size=30)
    assert mean_of(values).interval(seed=3) == mean_of(values).interval(seed=3)
    assert mean_of(values).interval(seed=3) != mean_of(values).interval(seed=4)
