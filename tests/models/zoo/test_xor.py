"""Exclusive or: the truth table, by the network in memory and by both signatures."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.foundations import perceptron, two_two_one
from models.zoo import entry
from models.zoo.xor import X, Xor, Y

TABLE = [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]


@pytest.fixture(scope="module")
def model():
    return Xor().build()


@pytest.fixture(scope="module")
def signatures(model):
    return entry("xor").signatures(model)


def example(**features):
    feature = {k: tf.train.Feature(float_list=tf.train.FloatList(value=[v])) for k, v in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def test_the_examples_are_the_truth_table():
    assert [tuple(column) for column in np.concatenate([X, Y]).T.astype(int)] == TABLE


def test_it_answers_the_truth_table(signatures):
    answer = signatures["serving_default"](tf.constant([row[:2] for row in TABLE], tf.float32))
    assert answer["y"].dtype == tf.int32
    assert answer["y"].numpy().tolist() == [row[2] for row in TABLE]
    assert answer["probability"].shape == (4,)
    np.testing.assert_allclose(answer["probability"], [row[2] for row in TABLE], atol=0.01)


def test_it_is_learned_in_a_moment():
    began = time.process_time()
    Xor().build()
    assert time.process_time() - began < 10  # of a machine that has more to do; alone it takes half a second


def test_the_keras_model_is_the_network_of_the_slide_with_the_learned_weights(model):
    W = Xor().learn()
    x = np.random.default_rng(0).normal(size=(2, 7)).astype("float32")
    assert isinstance(model, keras.Model)
    assert model.count_params() == 9
    np.testing.assert_allclose(model(x.T), tf.transpose(two_two_one.predict(W, x)), atol=1e-6)


def test_it_learns_by_plain_gradient_descent():
    """The same descent with the gradient of automatic differentiation ends at the same place."""
    network = Xor(steps=50)
    rng = np.random.default_rng(network.seed)
    weights = [tf.Variable(rng.normal(size=shape), dtype=tf.float32) for shape in ((3, 2), (3, 1))]
    for _ in range(network.steps):
        with tf.GradientTape() as tape:
            error = perceptron.cross_entropy(Y, two_two_one.predict(two_two_one.Weights(*weights), X))
        for weight, slope in zip(weights, tape.gradient(error, weights), strict=True):
            weight.assign_sub(network.alpha * slope)
    for found, expected in zip(network.learn(), weights, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_one_seed_gives_one_network_and_another_seed_another():
    first, again, other = (Xor(seed=seed, steps=5).learn() for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.W1, again.W1)
    assert not np.array_equal(first.W1, other.W1)


@pytest.mark.parametrize("network", [Xor(seed=6), Xor(steps=2)], ids=["local minimum", "too few steps"])
def test_a_network_that_did_not_learn_says_so(network):
    with pytest.raises(ValueError, match=r"steps=.* learned \[.*\] for the truth table \[0, 1, 1, 0\].*another seed"):
        network.build()


def test_classify_gives_the_score_of_both_classes_for_each_example(signatures):
    asked = [example(x1=x1, x2=x2) for x1, x2, _ in TABLE]
    answer = signatures["classify"](tf.constant(asked))
    assert answer["classes"].numpy().tolist() == [[b"false", b"true"]] * 4
    assert answer["scores"].dtype == tf.float32
    np.testing.assert_allclose(answer["scores"], [[1 - row[2], row[2]] for row in TABLE], atol=0.01)
    probability = signatures["serving_default"](tf.constant([row[:2] for row in TABLE], tf.float32))["probability"]
    np.testing.assert_allclose(answer["scores"][:, 1], probability, atol=1e-6)


def test_no_examples_give_no_classes(signatures):
    answer = signatures["classify"](tf.constant([], tf.string))
    assert answer["classes"].shape == answer["scores"].shape == (0, 2)
    assert signatures["serving_default"](tf.zeros([0, 2]))["y"].shape == (0,)


@pytest.mark.parametrize(
    ("given", "text"),
    [(example(x1=1), r"x2.*is required but could not be found"), (b"no example", "Could not parse example input")],
    ids=["no x2", "no example"],
)
def test_an_example_that_cannot_be_read_is_an_error_that_says_why(signatures, given, text):
    with pytest.raises(tf.errors.InvalidArgumentError, match=text):
        signatures["classify"](tf.constant([example(x1=0, x2=1), given]))
