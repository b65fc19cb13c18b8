"""Beam search in the graph beside one in plain Python, and beside all outputs there are."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from models.sequence_to_sequence import END, beam_search

TOKENS = 5


def decoder(seed):
    """A made-up decoder: what is likely depends on the row, on the last token and on a state that all tokens moved.

    Returns its step in TensorFlow, and the log probabilities after a prefix in numpy."""
    rng = np.random.default_rng(seed)
    table, move, read = (rng.normal(size=(TOKENS, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, TOKENS)) * 2)

    def step(token, state):
        state = tf.tanh(tf.linalg.matmul(state, move.astype(np.float32)) + tf.gather(table.astype(np.float32), token))
        return tf.nn.log_softmax(tf.linalg.matmul(state, read.astype(np.float32))), state

    def after(prefix, state):
        for token in [END, *prefix]:
            state = np.tanh(state @ move + table[token])
        logits = state @ read
        return logits - np.log(np.exp(logits).sum())

    return step, after


def in_python(after, state, limit, width):
    """[(log probability, tokens with their END)] of the beam, best first."""
    beam = [(0.0, ())]
    while any(not tokens or tokens[-1] != END for _, tokens in beam):
        longer = []
        for total, tokens in beam:
            if tokens and tokens[-1] == END:
                longer.append((total, tokens))
                continue
            likely = after(tokens, state)
            allowed = [END] if len(tokens) >= limit else range(TOKENS)
            longer += [(total + likely[token], (*tokens, token)) for token in allowed]
        beam = sorted(longer, reverse=True)[:width]
    return beam


def all_outputs(after, state, limit):
    """[(log probability, tokens with their END)] of every output of at most `limit` tokens, best first."""
    found = []
    for length in range(limit + 1):
        for tokens in itertools.product(range(1, TOKENS), repeat=length):
            whole = (*tokens, END)
            found.append((sum(after(whole[:t], state)[token] for t, token in enumerate(whole)), whole))
    return sorted(found, reverse=True)


def searched(step, states, limits, width):
    found = beam_search(step, tf.constant(states, tf.float32), tf.constant(limits, tf.int32), width)
    return found.tokens.numpy(), found.log_probability.numpy()


def assert_same(tokens, scores, expected):
    for row, (score, whole) in enumerate(expected):
        assert tokens[row].tolist() == [*whole, *[END] * (tokens.shape[1] - len(whole))]
        assert scores[row] == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("width", [1, 2, 4, 7])
@pytest.mark.parametrize("seed", range(4))
def test_each_row_has_the_beam_that_plain_python_finds(seed, width):
    step, after = decoder(seed)
    states, limits = np.random.default_rng(seed).normal(size=(6, 3)), [0, 1, 2, 5, 9, 14]
    tokens, scores = searched(step, states, limits, width)
    for row, limit in enumerate(limits):
        expected = in_python(after, states[row], limit, width)
        assert_same(tokens[row], scores[row], expected)
        assert np.isneginf(scores[row, len(expected) :]).all()


def test_a_beam_as_wide_as_all_outputs_finds_the_likeliest_of_all():
    step, after = decoder(seed=9)
    state = np.random.default_rng(9).normal(size=(1, 3))
    everything = all_outputs(after, state[0], limit=3)
    assert sum(math.exp(score) for score, _ in everything) < 1
    tokens, scores = searched(step, state, [3], width=len(everything))
    assert_same(tokens[0], scores[0], everything)


def test_a_wider_beam_finds_what_greedy_search_misses():
    likely = np.log([[1e-9, 0.6, 0.4], [0.5, 0.25, 0.25], [0.98, 0.01, 0.01]]).astype(np.float32)  # after END, 1, 2

    def step(token, state):
        return tf.gather(likely, token), state

    greedy, _ = searched(step, np.zeros([1, 1]), [4], width=1)
    assert greedy[0, 0].tolist() == [1, END]  # .6 * .5
    tokens, scores = searched(step, np.zeros([1, 1]), [4], width=2)
    assert tokens[0, 0].tolist()[:2] == [2, END]
    assert math.exp(scores[0, 0]) == pytest.approx(0.4 * 0.98)


def test_no_rows_are_no_answers():
    step, _ = decoder(seed=0)
    tokens, scores = searched(step, np.zeros([0, 3]), np.zeros([0]), width=3)
    assert tokens.shape[:2] == scores.shape == (0, 3)
