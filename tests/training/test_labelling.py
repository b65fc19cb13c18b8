"""The figures of labels, counted by hand."""

import numpy as np
import pytest

from training.labelling import accuracy, by_length, slot_f1, words_of


def test_a_slot_counts_where_kind_and_both_ends_are_right():
    truth = [["B-artist", "I-artist", "O", "B-city"], ["O", "B-year"], ["B-city", "B-city"]]
    said = [["B-artist", "I-artist", "O", "B-country"], ["B-year", "I-year"], ["B-city", "I-city"]]
    # there are 5 slots, 4 were said, 1 is right: the artist; year begins too early, the two cities became one
    precision, recall = 1 / 4, 1 / 5
    assert slot_f1(truth, said) == pytest.approx(2 * precision * recall / (precision + recall))


def test_an_inside_tag_without_a_beginning_begins_a_slot_as_in_conlleval():
    assert slot_f1([["B-city", "I-city", "O"]], [["I-city", "I-city", "O"]]) == 1
    assert slot_f1([["O", "B-city"]], [["I-year", "I-city"]]) == pytest.approx(2 / 3)


def test_without_a_slot_the_figure_is_zero():
    assert slot_f1([["O", "O"]], [["O", "O"]]) == 0


def test_accuracy_is_the_share_that_is_right():
    assert accuracy(["a", "b", "a", "c"], ["a", "b", "b", "c"]) == 0.75


def test_sequences_are_asked_for_by_length_and_answered_in_their_order():
    lengths, asked = np.random.default_rng(0).integers(1, 30, 200), []

    def ask(rows):
        asked.append(lengths[rows])
        return [(str(row),) for row in rows]

    assert by_length(lengths, ask) == [(str(row),) for row in range(200)]
    assert np.concatenate(asked).tolist() == sorted(lengths)


def test_words_of_a_padded_row_are_the_first():
    assert words_of(np.array([b"a", "é".encode(), b""], object), 2) == ("a", "é")
