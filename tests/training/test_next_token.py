"""The sampled softmax: it is the whole one where every token is drawn, and it teaches the same."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.zoo.char_lm import CharLM
from models.zoo.word_lm import WordLM
from training import next_token
from training.carried import CarriedText

KNOWN = [f"w{number}" for number in range(30)]
STILL = {"input_dropout": 0.0, "dropout": 0.0, "recurrent_dropout": 0.0}


def made(units=8):
    keras.utils.set_random_seed(0)
    model = WordLM(units=units, layers=1, **STILL).build(KNOWN)
    rng = np.random.default_rng(1)
    for variable in (model.embedding.embeddings, model.bias):
        variable.assign(rng.normal(scale=0.5, size=variable.shape))
    return model


def chunk():
    tokens = np.random.default_rng(2).integers(1, 33, (3, 6)).astype("int32")
    return tf.constant(tokens[:, :-1]), tf.constant(tokens[:, 1:])


def test_with_every_token_drawn_loss_and_gradient_are_those_of_the_whole(monkeypatch):
    model, (inputs, targets) = made(), chunk()
    every = np.arange(32)

    def all_of_them(true, *args, seed):
        return SimpleNamespace(sampled_candidates=tf.constant(every), sampled_expected_count=tf.ones(32))

    monkeypatch.setattr(tf.random, "log_uniform_candidate_sampler", all_of_them)
    found = []
    for loss in (next_token.whole(model), next_token.sampled(model, 5, seed=0)):
        with tf.GradientTape() as tape:
            nats, states = loss(inputs, targets, model.start(3))
        gradients = tape.gradient(nats, [variable.value for variable in model.trainable_variables])
        found.append([nats, states[0].h, *map(tf.convert_to_tensor, gradients)])
    for whole, sampled in zip(*found, strict=True):
        np.testing.assert_allclose(sampled, whole, atol=2e-5)


def test_what_is_drawn_is_corrected_by_how_often_it_is_drawn():
    model, (inputs, targets) = made(), chunk()
    whole = float(next_token.whole(model)(inputs, targets, model.start(3))[0])
    loss = next_token.sampled(model, 16, seed=3)
    draws = [float(loss(inputs, targets, model.start(3))[0]) for _ in range(60)]
    assert np.std(draws) > 0.01
    assert np.mean(draws) == pytest.approx(whole, abs=0.1)  # without the correction 0.5 lower


def test_it_learns_a_short_text_by_heart():
    model = made(units=16)
    model.optimizer = keras.optimizers.Adam(2e-2)
    text = np.tile(model.words.tokens([*KNOWN[:12], *KNOWN[5:20]]), 20)
    walk = CarriedText(model, text, 4, 9, 0.0, seed=0, loss=next_token.sampled(model, 10, seed=0))
    losses = [walk.epoch(number, lambda: None) for number in range(1, 16)]
    assert losses[-1] < 0.3 < losses[0]


def test_a_model_with_a_readout_of_its_own_is_refused():
    with pytest.raises(ValueError, match="has a readout of its own; a sampled loss expects tied=True"):
        next_token.sampled(CharLM(embedding=4, units=8, layers=1).build("ab"), 1, seed=0)


@pytest.mark.parametrize("count", [0, 32, 99])
def test_where_nothing_would_be_left_out_the_loss_is_the_whole(count):
    model, (inputs, targets) = made(), chunk()
    whole, other = (
        loss(inputs, targets, model.start(3))[0]
        for loss in (next_token.whole(model), next_token.sampled(model, count, seed=0))
    )
    assert float(whole) == float(other)
