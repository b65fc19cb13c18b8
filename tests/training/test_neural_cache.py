"""The neural cache beside its formula, word by word."""

import numpy as np
import pytest

from training import neural_cache
from training.neural_cache import THETAS, WEIGHTS, NeuralCache, chosen


@pytest.fixture
def read():
    rng = np.random.default_rng(0)
    return rng.uniform(0.5, 6, 40), rng.normal(size=(40, 5)).astype("float32"), rng.integers(0, 6, 40)


def by_hand(cache, nats, hidden, following):
    found = []
    for t in range(len(nats)):
        likeness = {i: np.exp(cache.theta * hidden[t] @ hidden[i]) for i in range(max(0, t - cache.window), t)}
        same = sum(value for i, value in likeness.items() if following[i] == following[t])
        p = np.exp(-nats[t])
        if likeness:
            p = (1 - cache.weight) * p + cache.weight * same / sum(likeness.values())
        found.append(-np.log(p))
    return found


@pytest.mark.parametrize("block", [7, 256])
@pytest.mark.parametrize("window", [3, 12, 100])
def test_it_is_the_formula_in_any_blocks(read, block, window, monkeypatch):
    monkeypatch.setattr(neural_cache, "BLOCK", block)
    cache = NeuralCache(window, theta=0.7, weight=0.2)
    np.testing.assert_allclose(cache.nats(*read), by_hand(cache, *read), rtol=1e-5)


def test_without_weight_it_is_the_model(read):
    np.testing.assert_allclose(NeuralCache(10, 1.0, 0.0).nats(*read), read[0], rtol=1e-9)


def test_far_apart_states_do_not_overflow(read):
    nats, hidden, following = read
    assert np.isfinite(NeuralCache(10, 1.0, 0.2).nats(nats, 1000 * hidden, following)).all()


def test_the_chosen_one_says_most_of_what_was_read(read):
    stretches = [tuple(part[:25] for part in read), tuple(part[25:] for part in read)]
    means = {
        (theta, weight): np.mean(np.concatenate([by_hand(NeuralCache(9, theta, weight), *one) for one in stretches]))
        for theta in THETAS
        for weight in WEIGHTS
    }
    found = chosen(9, stretches)
    assert means[found.theta, found.weight] == pytest.approx(min(means.values()), rel=1e-6)
    assert found.window == 9
