import numpy as np
import pytest

from serving.streams.drawing import NONE, Chance, draw

LOGITS = np.random.default_rng(0).normal(size=(40, 300)).astype(np.float32)
HEAT = np.tile([0.0, 0.3, 1.0, 5.0], 10)
TOP = np.tile([0, 1, 4, 300, 1000], 8)
U = np.random.default_rng(1).random(40)


def test_each_row_is_drawn_as_if_it_were_alone():
    alone = [int(draw(LOGITS[i : i + 1], HEAT[i : i + 1], TOP[i : i + 1], U[i : i + 1])[0]) for i in range(40)]
    assert draw(LOGITS, HEAT, TOP, U).tolist() == alone
    assert draw(LOGITS[::-1], HEAT[::-1], TOP[::-1], U[::-1]).tolist() == alone[::-1]


def test_no_heat_takes_the_most_likely_token_whatever_else_is_asked():
    assert draw(LOGITS, [0] * 40, TOP, U).tolist() == LOGITS.argmax(1).tolist()


def test_tokens_come_as_often_as_their_probability_says():
    logits, u = np.log([[0.5, 0.0001, 0.3, 0.1999]]), (np.arange(10_000) + 0.5) / 10_000
    drawn = draw(np.repeat(logits, 10_000, 0), [1.0] * 10_000, [0] * 10_000, u)
    assert np.bincount(drawn).tolist() == [5000, 1, 3000, 1999]


def test_heat_divides_the_logits():
    p = np.array([0.6, 0.3, 0.1])
    u = (np.arange(10_000) + 0.5) / 10_000
    drawn = draw(np.repeat(np.log(p)[None], 10_000, 0), [0.5] * 10_000, [0] * 10_000, u)
    assert np.bincount(drawn) / 10_000 == pytest.approx(p**2 / (p**2).sum(), abs=1e-4)


def test_only_the_k_most_likely_tokens_are_drawn_and_of_equal_ones_the_first():
    u = np.linspace(0, 1 - 1e-9, 50)
    drawn = draw(np.repeat([[1.0, 3.0, 1.0, 2.0, 1.0]], 50, 0), [9.0] * 50, [3] * 50, u)
    assert set(drawn.tolist()) == {0, 1, 3}


@pytest.mark.parametrize("u", [0.0, 1 - 2**-53])
def test_a_token_that_is_excluded_is_never_drawn(u):
    logits = np.array([[-np.inf, 0.0, -np.inf, 1.0, -np.inf]])
    assert draw(logits, [1e-300], [0], [min(u, 1 - 2**-52)]) == [3]
    assert draw(logits, [1.0], [0], [min(u, 1 - 2**-52)]) == [1 if u == 0 else 3]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_no_numbers_spoil_only_their_own_row(bad):
    logits = np.array([[0.0, bad], [0.0, 50.0], [-np.inf, -np.inf]])
    assert draw(logits, [1, 1, 1], [1, 0, 0], [0.5] * 3).tolist() == [NONE, 1, NONE]


def test_a_seed_gives_the_same_numbers_again_and_another_seed_others():
    first, again, other = Chance(7), Chance(7), Chance(-7)
    numbers = [first.next() for _ in range(5)]
    assert numbers == [again.next() for _ in range(5)]
    assert numbers != [other.next() for _ in range(5)]
    assert Chance(None).next() != Chance(None).next()
