"""Word and phoneme error rates, counted by hand."""

import pytest

from training.pronouncing import edit_distance, outcomes

LISTED = [[("R", "EH", "D"), ("R", "IY", "D")], [("K", "AE", "T")], [("D", "AO", "G")]]
SAID = [("R", "IY", "D"), ("K", "AE", "T", "S"), ("D", "G")]


def test_any_listed_pronunciation_is_right():
    assert outcomes(LISTED, SAID)["word_error_rate"].figure() == pytest.approx(2 / 3)  # cat and dog
    assert outcomes(LISTED, [row[0] for row in LISTED])["word_error_rate"].figure() == 0


def test_the_phoneme_error_rate_is_that_of_the_nearest_pronunciation():
    assert outcomes(LISTED, SAID)["phoneme_error_rate"].figure() == pytest.approx((0 + 1 + 1) / (3 + 3 + 3))


def test_the_edit_distance_of_words_counted_by_hand():
    assert edit_distance("kitten", "sitting") == 3  # s for k, i for e, g put in
    assert edit_distance("", "abc") == edit_distance("abc", "") == 3
    assert edit_distance("abc", "abc") == 0
