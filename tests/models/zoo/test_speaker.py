"""The speaker's network: what is padded changes nothing, both signatures agree, wrong input is answered."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.zoo import entry
from models.zoo.speaker import Speaker

LABELS, CHANNELS = ("ann", "bob", "cid", "dee"), 3


@pytest.fixture(scope="module")
def model():
    """A network with distinct random weights in place of training."""
    rng = np.random.default_rng(0)
    network = Speaker(units=8).build(CHANNELS, LABELS)
    network.adapt(rng.normal(5, 2, (200, CHANNELS)).astype("float32"))
    network({"series": np.zeros((1, 2, CHANNELS), "float32"), "lengths": np.array([2], "int32")})
    for layer in (network.forwards, network.backwards, network.readout):
        layer.set_weights([rng.normal(scale=0.6, size=w.shape) for w in layer.get_weights()])
    return network


@pytest.fixture(scope="module")
def signatures(model):
    return entry("speaker").signatures(model)


def ask(signatures, series, lengths):
    answer = signatures["serving_default"](tf.constant(series, tf.float32), tf.constant(lengths, tf.int32))
    return {name: value.numpy() for name, value in answer.items()}


def example(numbers):
    feature = {"series": tf.train.Feature(float_list=tf.train.FloatList(value=numbers))}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 3), st.integers(0, 2**31))
def test_a_ragged_batch_answers_as_its_series_one_by_one(signatures, lengths, more, seed):
    rng = np.random.default_rng(seed)
    series = rng.normal(5, 3, (len(lengths), max(lengths) + more, CHANNELS))
    together = ask(signatures, series, lengths)
    for row, length in enumerate(lengths):
        alone = ask(signatures, series[row : row + 1, :length], [length])
        np.testing.assert_allclose(together["scores"][row], alone["scores"][0], atol=1e-5)
        assert together["label"][row] == alone["label"][0]


def test_the_label_is_the_one_with_the_highest_score_and_scores_sum_to_one(signatures):
    answer = ask(signatures, np.random.default_rng(1).normal(5, 3, (6, 4, CHANNELS)), [4] * 6)
    np.testing.assert_allclose(answer["scores"].sum(axis=1), 1, rtol=1e-5)
    for row in range(6):
        best = answer["scores"][row].argmax()
        assert answer["label"][row] == answer["labels"][row][best] == LABELS[best].encode()
        assert answer["score"][row] == answer["scores"][row].max()
    assert len(set(answer["label"])) > 1


def test_the_network_by_hand_in_numpy(model):
    """Both recurrences step by step, their mean, the readout: by the equations of the GRU (Cho et al. 2014)."""
    series = np.random.default_rng(2).normal(5, 3, (1, 5, CHANNELS))
    training = np.random.default_rng(0).normal(5, 2, (200, CHANNELS)).astype("float32")
    x = (series[0] - training.mean(axis=0)) / training.std(axis=0)

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    def gru(layer, steps):
        kernel, recurrent, bias = (w.astype(float) for w in layer.get_weights())
        h, states = np.zeros(8), []
        for step in steps:
            (z, r, candidate), (uz, ur, uh) = np.split(step @ kernel + bias[0], 3), np.split(h @ recurrent + bias[1], 3)
            z, r = sigmoid(z + uz), sigmoid(r + ur)
            h = z * h + (1 - z) * np.tanh(candidate + r * uh)
            states.append(h)
        return np.array(states)

    mean = np.concatenate([gru(model.forwards, x).mean(axis=0), gru(model.backwards, x[::-1]).mean(axis=0)])
    kernel, bias = model.readout.get_weights()
    given = {"series": tf.constant(series, tf.float32), "lengths": tf.constant([5])}
    np.testing.assert_allclose(model(given)["scores"][0], mean @ kernel + bias, rtol=1e-4, atol=1e-4)


def test_classify_takes_examples_of_different_lengths_and_gives_the_same_scores(signatures):
    series = np.random.default_rng(3).normal(5, 3, (3, 6, CHANNELS)).astype("float32")
    lengths = [2, 6, 1]
    asked = [example(series[row, :length].reshape(-1)) for row, length in enumerate(lengths)]
    answer = signatures["classify"](tf.constant(asked))
    np.testing.assert_allclose(answer["scores"], ask(signatures, series, lengths)["scores"], atol=1e-5)
    assert [[label.decode() for label in row] for row in answer["classes"].numpy()] == [list(LABELS)] * 3


@pytest.mark.parametrize("lengths", [[0], [5], [-1]])
def test_a_length_that_cannot_be_is_an_error_that_says_which_can(signatures, lengths):
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"lengths got \[-?\d\]; each must be from 1 to the number of time steps",
    ):
        ask(signatures, np.zeros((1, 4, CHANNELS)), lengths)


@pytest.mark.parametrize("numbers", [[], [1.0, 2.0, 3.0, 4.0]])
def test_an_example_that_is_no_whole_series_is_an_error(signatures, numbers):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"series got \[\d\] numbers; each example must have 3"):
        signatures["classify"](tf.constant([example(numbers)]))


def test_noise_and_dropout_act_in_training_only(model):
    given = {"series": tf.constant(np.full((1, 4, CHANNELS), 5, "float32")), "lengths": tf.constant([4])}
    np.testing.assert_array_equal(model(given)["scores"], model(given)["scores"])
    assert not np.array_equal(model(given, training=True)["scores"], model(given, training=True)["scores"])
