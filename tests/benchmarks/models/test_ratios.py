"""The arithmetic on made-up numbers."""

import pytest

from benchmarks.models.ratios import Figure, best_half, better, comparison, figure, geometric_mean, times_as_fast


def test_the_best_half_has_the_middle_round():
    assert best_half([5.0, 1.0, 4.0, 2.0, 3.0]) == [1.0, 2.0, 3.0]
    assert best_half([4.0, 1.0]) == [1.0]
    assert best_half([7.0]) == [7.0]


def test_a_figure_is_the_median_of_the_best_half_and_its_ends():
    assert figure([9.0, 1.0, 3.0, 2.0, 80.0]) == Figure(2.0, 1.0, 3.0)
    assert figure([4.0, 2.0, 1.0, 9.0]) == Figure(1.5, 1.0, 2.0)


def test_twice_as_fast_is_two_and_the_spread_is_our_worst_and_our_best():
    ratio = times_as_fast(ours=[1.0, 2.0, 4.0, 50.0, 60.0], rivals=[4.0, 3.0, 5.0, 60.0, 70.0])
    assert ratio == Figure(4.0 / 2.0, 3.0 / 4.0, 5.0 / 1.0)
    assert times_as_fast([2.0], [1.0]).median == 0.5


def test_the_better_form_is_the_faster_one_that_was_measured():
    rounds = {"keras": [3.0, 3.0], "keras compiled": [2.0, 9.0]}
    assert better(rounds, ("keras", "keras compiled")) == "keras compiled"
    assert better({"keras": [3.0]}, ("keras", "keras compiled")) == "keras"
    assert better(rounds, ("torch",)) is None


def test_a_row_compares_the_better_of_ours_with_the_better_of_keras_and_with_torch():
    rounds = {"ours": [6.0], "ours compiled": [4.0], "keras": [5.0], "keras compiled": [8.0], "torch": [3.0]}
    row = comparison(rounds)
    assert (row["ours"], row["keras"], row["torch"]) == ("ours compiled", "keras", "torch")
    assert row["times_keras"]["median"] == 5 / 4
    assert row["times_torch"]["median"] == 3 / 4
    assert row["ms"]["ours"] == {"median": 6.0, "low": 6.0, "high": 6.0}


def test_what_only_we_are_called_by_stands_apart():
    row = comparison({"ours": [6.0], "ours called": [2.0], "keras": [3.0]})
    assert (row["ours"], row["times_keras"]["median"]) == ("ours called", 1.5)
    assert row["times_keras_called_alike"]["median"] == 0.5
    assert "times_keras_called_alike" not in comparison({"ours": [6.0], "keras": [3.0]})


def test_a_row_without_torch_says_nothing_of_it():
    row = comparison({"ours": [6.0], "keras": [3.0]})
    assert row["times_keras"]["median"] == 0.5
    assert not {"torch", "times_torch"} & row.keys()


def test_a_row_without_us_is_refused():
    ours = "ours, ours compiled, ours halves, ours called"
    with pytest.raises(ValueError, match=f"none of {ours} was measured; the rounds are of keras"):
        comparison({"keras": [3.0]})


def test_the_mean_of_twice_and_half_as_fast_is_one():
    assert geometric_mean([2.0, 0.5]) == pytest.approx(1.0)
    assert geometric_mean([1.0, 8.0, 1.0]) == pytest.approx(2.0)
