"""The answers of `tagger` before any training: shapes, padding, and what a caller may send."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.zoo import entry
from models.zoo.tagger import Tagger

TAGS = ["DET", "NOUN", "PUNCT", "VERB"]
WORDS = ["the", "cook", "bakes", "björk", "."]
SENTENCES = st.lists(st.sampled_from(["the", "Björk", "zzz", "ø", "."]), max_size=7)


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    network = Tagger(word_units=6, byte_units=5, spelling_units=4, units=7).build()
    network.adapt(dict.fromkeys(WORDS, 2), TAGS, {"xpos": 3})
    network.build()
    network.set_weights([rng.normal(scale=0.6, size=w.shape) for w in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def signatures(model):
    return entry("tagger").signatures(model)


@pytest.fixture(scope="module")
def ask(signatures):
    def asked(*sentences):
        return arrays(signatures["serving_default"](tf.constant(list(sentences), tf.string)))

    return asked


@pytest.fixture(scope="module")
def ask_tokens(signatures):
    def asked(rows, lengths):
        tokens = tf.constant(rows, tf.string, (len(rows), len(rows[0]) if rows else 0))
        return arrays(signatures["tokens"](tokens, tf.constant(lengths, tf.int32)))

    return asked


def arrays(answer):
    return {name: value.numpy() for name, value in answer.items()}


def padded(rows, more=0):
    longest = max(map(len, rows), default=0) + more
    return [[*row, *["x"] * (longest - len(row))] for row in rows]


def test_each_word_has_a_tag_with_its_probability(ask):
    answer = ask("The cook bakes.")
    assert answer["tokens"].tolist() == [[b"The", b"cook", b"bakes", b"."]]
    assert {tag.decode() for tag in answer["tags"][0]} <= set(TAGS)
    assert ((answer["tag_scores"] > 0.25) & (answer["tag_scores"] <= 1)).all()  # the most probable of four


def test_both_signatures_tag_the_same_words_alike(ask, ask_tokens):
    of_text, of_tokens = ask("The cook bakes ."), ask_tokens([["The", "cook", "bakes", "."]], [4])
    assert of_text["tags"].tolist() == of_tokens["tags"].tolist()
    np.testing.assert_allclose(of_text["tag_scores"], of_tokens["tag_scores"], atol=1e-6)


def test_the_tag_is_the_one_with_the_greatest_score(model, ask_tokens):
    tokens = tf.constant([["the", "zzz"]])
    scores = tf.nn.softmax(model({"tokens": tokens, "lengths": tf.constant([2])})["tags"]).numpy()[0]
    answer = ask_tokens([["the", "zzz"]], [2])
    assert [tag.decode() for tag in answer["tags"][0]] == [TAGS[best] for best in scores.argmax(axis=-1)]
    np.testing.assert_allclose(answer["tag_scores"][0], scores.max(axis=-1), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.lists(SENTENCES, min_size=1, max_size=5), st.integers(0, 3))
def test_a_batch_of_any_lengths_answers_as_one_by_one(ask_tokens, sentences, more):
    together = ask_tokens(padded(sentences, more), [len(words) for words in sentences])
    for row, words in enumerate(sentences):
        alone = ask_tokens([words], [len(words)])
        assert together["tags"][row, : len(words)].tolist() == alone["tags"][0].tolist()
        np.testing.assert_allclose(together["tag_scores"][row, : len(words)], alone["tag_scores"][0], atol=1e-5)
        assert (together["tags"][row, len(words) :] == b"").all()
        assert (together["tag_scores"][row, len(words) :] == 0).all()


def test_an_empty_sentence_has_no_word(ask):
    for nothing in ("", "  "):
        answer = ask(nothing)
        assert answer["tokens"].shape == answer["tags"].shape == answer["tag_scores"].shape == (1, 0)
    answer = ask("", "the")
    assert answer["tags"][0].tolist() == [b""]
    assert answer["tags"][1, 0].decode() in TAGS


def test_no_sentence_is_answered_by_nothing(ask, ask_tokens):
    assert {name: value.shape for name, value in ask().items()} == dict.fromkeys(
        ("tokens", "tags", "tag_scores"), (0, 0)
    )
    assert ask_tokens([], [])["tags"].shape == (0, 0)


def test_what_is_no_utf_8_an_empty_token_and_a_word_without_end_are_answered_too(ask, ask_tokens):
    assert ask(b"the \xff\xfe")["tags"].shape == (1, 2)
    answer = ask_tokens([["", "z" * 10_000, b"\xff"]], [3])
    assert np.isfinite(answer["tag_scores"]).all()
    assert {tag.decode() for tag in answer["tags"][0]} <= set(TAGS)


@pytest.mark.parametrize("length", [-1, 3])
def test_a_length_that_cannot_be_is_answered_by_what_it_may_be(ask_tokens, length):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"lengths got \[.*\]; each must be from 0 to .* tokens, 2"
    ):
        ask_tokens([["the", "cook"]], [length])


def test_case_is_seen_in_the_spelling(ask_tokens):
    lower, upper = (ask_tokens([[word, "bakes"]], [2])["tag_scores"] for word in ("cook", "COOK"))
    assert np.abs(lower - upper).max() > 1e-4
