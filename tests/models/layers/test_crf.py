"""The chain against the sum over every sequence, written out."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from models.layers.crf import CRF

TAGS = 3
LENGTHS = np.array([4, 1, 3], np.int32)


@pytest.fixture(scope="module")
def chain():
    rng = np.random.default_rng(0)
    layer = CRF(TAGS, never=[(None, 2), (0, 2)])
    layer.build()
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer


@pytest.fixture(scope="module")
def scores():
    return np.random.default_rng(1).normal(scale=2, size=(3, 4, TAGS)).astype("float32")


def every_sequence(chain, scores, length):
    """(tags, score) of all sequences of a row."""
    transitions, start, end = chain.get_weights()
    for tags in itertools.product(range(TAGS), repeat=int(length)):
        total = start[tags[0]] + end[tags[-1]] + sum(scores[t, tag] for t, tag in enumerate(tags))
        yield tags, total + sum(transitions[pair] for pair in itertools.pairwise(tags))


def test_the_partition_is_the_sum_over_every_sequence(chain, scores):
    expected = [
        np.log(sum(np.exp(s) for _, s in every_sequence(chain, row, length)))
        for row, length in zip(scores, LENGTHS, strict=True)
    ]
    np.testing.assert_allclose(chain.log_partition(tf.constant(scores), LENGTHS), expected, rtol=1e-5)


def test_the_likelihoods_of_every_sequence_add_up_to_one_and_are_those_written_out(chain, scores):
    row = scores[:1]
    partition = chain.log_partition(tf.constant(row), LENGTHS[:1]).numpy()[0]
    total = 0.0
    for tags, score in every_sequence(chain, row[0], 4):
        surprise = chain.negative_log_likelihood(tf.constant(row), tf.constant([tags]), LENGTHS[:1]).numpy()[0]
        assert -surprise == pytest.approx(score - partition, abs=1e-4)
        total += np.exp(-surprise)
    assert total == pytest.approx(1, abs=1e-4)


def test_marginals_are_shares_of_every_sequence(chain, scores):
    expected = np.zeros_like(scores)
    for row, length in enumerate(LENGTHS):
        weights = {tags: np.exp(score) for tags, score in every_sequence(chain, scores[row], length)}
        for tags, weight in weights.items():
            for t, tag in enumerate(tags):
                expected[row, t, tag] += weight / sum(weights.values())
    np.testing.assert_allclose(chain.marginals(tf.constant(scores), LENGTHS), expected, atol=1e-5)


def test_the_best_sequence_is_the_best_of_all_that_are_allowed(chain, scores):
    for seed in range(20):
        drawn = np.random.default_rng(seed).normal(scale=3, size=scores.shape).astype("float32")
        said = chain(tf.constant(drawn), LENGTHS).numpy()
        for row, length in enumerate(LENGTHS):
            allowed = [
                (score, tags)
                for tags, score in every_sequence(chain, drawn[row], length)
                if tags[0] != 2 and (0, 2) not in itertools.pairwise(tags)
            ]
            assert tuple(said[row, :length]) == max(allowed)[1]
            assert not said[row, length:].any()


def test_padding_changes_neither_likelihood_nor_tags(chain, scores):
    wider = np.concatenate([scores, np.full((3, 2, TAGS), 7, "float32")], axis=1)
    tags = np.array([[1, 0, 1, 1], [1, 0, 0, 0], [0, 1, 2, 0]], np.int32)
    padded_tags = np.pad(tags, [[0, 0], [0, 2]], constant_values=-1)
    short = chain.negative_log_likelihood(tf.constant(scores), tf.constant(tags), LENGTHS)
    wide = chain.negative_log_likelihood(tf.constant(wider), tf.constant(padded_tags), LENGTHS)
    np.testing.assert_allclose(short, wide, rtol=1e-5)
    np.testing.assert_array_equal(chain(scores, LENGTHS), chain(wider, LENGTHS)[:, :4])


def test_scores_far_apart_give_a_finite_likelihood_and_gradient(chain):
    scores = tf.constant(np.random.default_rng(3).normal(scale=300, size=(2, 5, TAGS)).astype("float32"))
    tags, lengths = tf.zeros([2, 5], tf.int32), tf.constant([5, 2])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(chain.negative_log_likelihood(scores, tags, lengths))
    assert np.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, chain.trainable_weights))


def test_a_chain_made_from_its_configuration_holds_to_the_same_pairs(chain):
    again = CRF.from_config(chain.get_config())
    assert (again.tags, again.never) == (chain.tags, chain.never)
