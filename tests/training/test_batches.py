"""Batches of like length, cut to the longest."""

import numpy as np
import pytest

from training.batches import as_dataset, batches_by_length

LENGTHS = np.random.default_rng(0).integers(1, 40, 5000)


def batches(seed, size=32, lengths=LENGTHS):
    return batches_by_length(lengths, size, np.random.default_rng(seed))


@pytest.mark.parametrize("examples", [1, 31, 32, 33, 5000])
def test_every_example_is_in_one_batch_and_there_are_no_more_than_needed(examples):
    made = batches(1, lengths=LENGTHS[:examples])
    assert sorted(np.concatenate(made).tolist()) == list(range(examples))
    assert len(made) == -(-examples // 32)
    assert max(map(len, made)) <= 32


def test_little_of_a_batch_is_padding():
    made = batches(1)
    steps = sum(len(rows) * LENGTHS[rows].max() for rows in made)
    assert LENGTHS.sum() / steps > 0.95
    assert LENGTHS.sum() / (len(LENGTHS) * 39) < 0.55  # padded to the longest of all


def test_each_seed_has_its_own_batches_and_the_same_one_the_same():
    as_lists = [[rows.tolist() for rows in batches(seed)] for seed in (1, 1, 2)]
    assert as_lists[0] == as_lists[1] != as_lists[2]


def test_short_and_long_batches_come_in_no_order():
    longest = [LENGTHS[rows].max() for rows in batches(3)]
    assert abs(np.corrcoef(longest, range(len(longest)))[0, 1]) < 0.3


def test_the_dataset_has_texts_and_numbers_cut_to_the_longest_of_each_batch():
    lengths = np.array([3, 1, 2], np.int32)
    tokens = np.array([["a", "b", "c"], ["d", "", ""], ["e", "f", ""]], object)
    targets = {"tags": np.array([[1, 2, 3], [4, -1, -1], [5, 6, -1]], np.int32), "intent": np.array([7, 8, 9])}
    order = [np.array([1, 2]), np.array([0])]
    (first, second) = as_dataset({"tokens": tokens, "lengths": lengths}, targets, lengths, order).as_numpy_iterator()
    assert first[0]["tokens"].tolist() == [[b"d", b""], [b"e", b"f"]]
    assert first[1]["tags"].tolist() == [[4, -1], [5, 6]]
    assert first[1]["intent"].tolist() == [8, 9]
    assert second[0]["tokens"].tolist() == [[b"a", b"b", b"c"]]
    assert second[0]["lengths"].tolist() == [3]
