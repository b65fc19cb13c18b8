"""Kneser-Ney, held against sums by hand and its own rules."""

import numpy as np
import pytest

from training.baselines.ngram import nats_per_token

RNG = np.random.default_rng(0)
TEXT = np.cumsum(RNG.integers(0, 3, 400)) % 5  # each token lies near the one before it


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_probabilities_of_all_next_tokens_sum_to_one(order):
    total = sum(np.exp(-nats_per_token(np.append(TEXT, [1, 2, 3]), np.array([token]), 5, order)) for token in range(5))
    assert total == pytest.approx(1)


def test_bigrams_are_the_formula_by_hand():
    train, tokens = [0, 1, 0, 2, 0, 1, 1], 3
    # grams 01 x2, 10, 02, 20, 11: d = 4 / (4 + 2) above; contexts of 0: 2, 1: 2, 2: 1 below, d = 1 / (1 + 4)
    lower = [(max(c - 0.2, 0) + 0.2 * 3 / tokens) / 5 for c in (2, 2, 1)]
    after_1 = [(max(c - 2 / 3, 0) + 2 / 3 * 2 * p) / 2 for c, p in zip((1, 1, 0), lower, strict=True)]
    for token, p in enumerate(after_1):
        assert nats_per_token(np.array(train), np.array([token]), tokens, 2) == pytest.approx(-np.log(p))


def test_it_is_better_the_more_it_sees_of_a_text_with_memory():
    train, test = TEXT[:300], TEXT[300:]
    assert nats_per_token(train, test, 5, 2) < nats_per_token(train, test, 5, 1) - 0.2


def test_an_alphabet_too_large_for_long_grams_takes_shorter_ones():
    assert nats_per_token(TEXT, TEXT[:50], 10**6, 6) == nats_per_token(TEXT, TEXT[:50], 10**6, 3)
