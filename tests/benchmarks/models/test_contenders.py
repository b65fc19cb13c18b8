"""A contender is held to the numbers of the first before it is timed."""

import numpy as np
import pytest

from benchmarks.models import cases
from benchmarks.models.cases import Case, doubled
from benchmarks.models.contenders import Contender, agreement


def giving(**numbers):
    arrays = {name.replace("_", " "): np.asarray(value, np.float32) for name, value in numbers.items()}
    return Contender(lambda: None, lambda: arrays)


def test_the_distance_is_relative_to_the_largest_number_of_the_array():
    apart = agreement({"A": giving(outputs=[100.0, 1.0]), "B": giving(outputs=[100.0, 1.001])})
    assert apart["B"] == pytest.approx(1e-5, rel=0.01)


def test_one_that_computes_something_else_is_not_timed():
    right = giving(outputs=[0.5, 0.25], d_inputs=[1.0, 2.0])
    with pytest.raises(ArithmeticError, match=r"outputs of B lies 1\.0e-03 from that of A; 2e-05 is allowed"):
        agreement({"A": right, "B": giving(outputs=[0.5, 0.2505], d_inputs=[1.0, 2.0])})
    with pytest.raises(ArithmeticError, match=r"d inputs of B .* 1e-04 is allowed"):
        agreement({"A": right, "B": giving(outputs=[0.5, 0.25], d_inputs=[1.0, 2.1])})
    agreement({"A": right, "B": giving(outputs=[0.5, 0.25], d_inputs=[1.0, 2.0001])})


def test_numbers_that_are_none_or_of_another_shape_do_not_pass():
    with pytest.raises(ArithmeticError, match="lies nan"):
        agreement({"A": giving(outputs=[1.0]), "B": giving(outputs=[np.nan])})
    with pytest.raises(ArithmeticError):
        agreement({"A": giving(outputs=[1.0, 1.0]), "B": giving(outputs=[1.0])})
    with pytest.raises(ArithmeticError, match="B and A have no numbers in common"):
        agreement({"A": giving(outputs=[1.0]), "B": giving(loss=1.0)})


def test_doubling_keeps_all_else():
    start = Case("GRU", "gradients", 2, 5, 3, 4)
    assert [case.time for case in doubled(start, "time")] == [5, 10, 20]
    assert [(case.batch, case.time) for case in doubled(start, "batch", 1)] == [(2, 5), (4, 5)]


def test_weights_of_a_whole_model_are_those_of_two_layers():
    arrays = cases.weights(Case("LSTM", "train", 2, 5, 3, 4))
    assert arrays["weight_ih_l0"].shape == (16, 3)
    assert arrays["weight_ih_l1"].shape == (16, 4)
    assert len(arrays) == 8


def test_the_full_run_measures_all_recurrences_at_all_sizes_forward_and_backward():
    assert len({*cases.LAYERS}) == 3 * 2 * 5
