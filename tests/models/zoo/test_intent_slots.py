"""The answers of `intent-slots` before any training: shapes, padding, and what a caller may send."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.zoo import entry
from models.zoo.intent_slots import IntentSlots, malformed

TAGS = ["O", "B-artist", "B-city", "I-artist", "I-city"]
UTTERANCES = st.lists(st.sampled_from(["play", "björk", "zzz", "ø", "x-ray"]), max_size=7).map(" ".join)
INTENTS = ["GetWeather", "PlayMusic"]
WORDS = ["play", "some", "björk", "weather", "in", "oslo"]


@pytest.fixture(scope="module")
def ask():
    rng = np.random.default_rng(0)
    model = IntentSlots(word_units=6, byte_units=5, spelling_units=4, units=7).build()
    model.adapt(dict.fromkeys(WORDS, 2), TAGS, INTENTS)
    model.build()
    model.set_weights([rng.normal(scale=0.6, size=w.shape) for w in model.get_weights()])
    call = entry("intent-slots").signatures(model)["serving_default"]

    def asked(*utterances):
        texts = tf.constant(list(utterances), tf.string)
        return {name: value.numpy() for name, value in call(texts).items()}

    return asked


def test_each_word_has_a_tag_with_its_probability_and_the_utterance_an_intent(ask):
    answer = ask("play some Björk")
    assert answer["tokens"].tolist() == [[b"play", b"some", "Björk".encode()]]
    assert {tag.decode() for tag in answer["tags"][0]} <= set(TAGS)
    assert ((answer["tag_scores"] > 0) & (answer["tag_scores"] <= 1)).all()
    assert answer["intent"][0].decode() in INTENTS
    assert 0.5 <= answer["intent_score"][0] <= 1  # the more probable of two


def test_punctuation_and_any_white_space_separate_words(ask):
    answer = ask("  What's on,\tin Oslo?! ")
    assert answer["tokens"].tolist() == [[b"What", b"s", b"on", b"in", b"Oslo"]]


def test_case_changes_no_answer(ask):
    lower, upper = ask("play björk"), ask("PLAY BJÖRK")
    np.testing.assert_array_equal(lower["tags"], upper["tags"])
    np.testing.assert_array_equal(lower["tag_scores"], upper["tag_scores"])


@settings(max_examples=20, deadline=None)
@given(st.lists(UTTERANCES, min_size=1, max_size=5))
def test_a_batch_of_any_lengths_answers_as_one_by_one(ask, utterances):
    together = ask(*utterances)
    for row, utterance in enumerate(utterances):
        alone, words = ask(utterance), len(utterance.split())
        assert together["intent"][row] == alone["intent"][0]
        assert together["intent_score"][row] == pytest.approx(alone["intent_score"][0], abs=1e-5)
        for name, filling in (("tokens", b""), ("tags", b""), ("tag_scores", 0)):
            if alone[name].dtype == object:
                assert together[name][row, :words].tolist() == alone[name][0].tolist()
            else:
                np.testing.assert_allclose(together[name][row, :words], alone[name][0], atol=1e-5)
            assert (together[name][row, words:] == filling).all()


def test_an_empty_utterance_has_no_word_and_still_an_intent(ask):
    for nothing in ("", "  ", "?!"):
        answer = ask(nothing)
        assert answer["tokens"].shape == answer["tags"].shape == answer["tag_scores"].shape == (1, 0)
        assert answer["intent"][0].decode() in INTENTS


def test_no_utterance_is_answered_by_nothing(ask):
    assert {name: value.shape[0] for name, value in ask().items()} == dict.fromkeys(ask("play"), 0)


def test_what_is_no_utf_8_is_answered_too(ask):
    assert ask(b"play \xff\xfe")["tags"].shape == (1, 2)


def test_tags_are_well_formed_whatever_the_weights_say(ask):
    rng = np.random.default_rng(4)
    for _ in range(40):
        tags = [tag.decode() for tag in ask(" ".join(rng.choice(WORDS, size=9)))["tags"][0]]
        for before, after in zip(["O", *tags], tags, strict=False):
            assert not after.startswith("I-") or before[2:] == after[2:]


def test_malformed_pairs_are_those_that_bio_does_not_have():
    named = {(None if before is None else TAGS[before], TAGS[after]) for before, after in malformed(TAGS)}
    assert named == {
        (None, "I-artist"), ("O", "I-artist"), ("B-city", "I-artist"), ("I-city", "I-artist"),
        (None, "I-city"), ("O", "I-city"), ("B-artist", "I-city"), ("I-artist", "I-city"),
    }  # fmt: skip
