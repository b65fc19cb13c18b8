import numpy as np

from training.tasks.padding import padded


def test_rows_are_filled_up_at_the_right():
    np.testing.assert_array_equal(padded([[1, 2], [], [3]], -1, np.int32), [[1, 2], [-1, -1], [3, -1]])
    assert padded([("a",), ("b", "c")], "", object).tolist() == [["a", ""], ["b", "c"]]


def test_no_rows_are_an_empty_array():
    assert padded([], 0, np.int32).shape == (0, 0)
