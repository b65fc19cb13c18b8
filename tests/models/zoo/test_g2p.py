"""The answers of `g2p` before any training: shapes, padding, and what a caller may send."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.sequence_to_sequence import END
from models.zoo import entry, g2p
from models.zoo.g2p import G2P, LEAST_LIMIT, N_BEST

PHONEMES = ["a", "aː", "k", "t"]
WORDS = st.text(alphabet="akté😀x", max_size=9)


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    model = G2P(embedding=5, encoder_units=4, encoder_layers=2, decoder_units=6).build("aktø", PHONEMES)
    model.build()
    model.set_weights([rng.normal(scale=0.8, size=w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def signatures(model):
    return entry("g2p").signatures(model)


def asked(call, *words):
    return {name: value.numpy() for name, value in call(tf.constant(list(words), tf.string)).items()}


def test_a_word_has_its_best_pronunciations_with_falling_probabilities(signatures):
    answer = asked(signatures["serving_default"], "kat")
    assert answer["phonemes"].shape == answer["scores"].shape == (1, N_BEST)
    texts = [text.decode() for text in answer["phonemes"][0]]
    assert len(set(texts)) == N_BEST
    assert {phoneme for text in texts for phoneme in text.split()} <= set(PHONEMES)
    assert (np.diff(answer["scores"]) <= 0).all()
    assert 0 < answer["scores"].sum() <= 1 + 1e-5


def test_a_score_is_the_probability_that_the_network_gives_to_the_pronunciation(model, signatures):
    answer = asked(signatures["serving_default"], "takka")
    source, _ = model.letters.encode(tf.constant(["takka"]))
    for text, score in zip(answer["phonemes"][0], answer["scores"][0], strict=True):
        tokens = [1 + PHONEMES.index(phoneme) for phoneme in text.decode().split()]
        logits = model({"source": source, "previous": tf.constant([[END, *tokens]])})["target"]
        likely = tf.nn.softmax(logits).numpy()[0]
        expected = np.prod([likely[step, token] for step, token in enumerate([*tokens, END])])
        assert score == pytest.approx(expected, rel=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=5))
def test_a_batch_of_any_lengths_answers_as_one_by_one(signatures, words):
    for name in ("serving_default", "align"):
        together = asked(signatures[name], *words)
        for row, word in enumerate(words):
            for key, alone in asked(signatures[name], word).items():
                here = together[key][row][tuple(slice(size) for size in alone[0].shape)]
                if alone.dtype == object:
                    assert here.tolist() == alone[0].tolist()
                else:
                    np.testing.assert_allclose(here, alone[0], atol=1e-5)


def test_an_empty_word_is_pronounced_as_nothing(signatures):
    answer = asked(signatures["serving_default"], "", "kat")
    assert answer["phonemes"][0].tolist() == [b""] * N_BEST
    assert answer["scores"][0].tolist() == [1, 0, 0, 0, 0]
    assert asked(signatures["align"], "")["phonemes"].shape == (1, 0)


def test_no_word_is_answered_by_nothing(signatures):
    for name in ("serving_default", "align"):
        assert all(value.shape[0] == 0 for value in asked(signatures[name]).values())


def test_case_changes_no_answer_beyond_ascii_too(signatures):
    lower, upper = (asked(signatures["serving_default"], word) for word in ("kaøt", "KAØT"))
    np.testing.assert_array_equal(lower["phonemes"], upper["phonemes"])


def test_unknown_letters_and_what_is_no_utf_8_are_answered_too(signatures):
    answer = asked(signatures["serving_default"], "日本", b"a\xff")
    assert (answer["scores"][:, 0] > 0).all()


def test_no_pronunciation_is_longer_than_the_limit(monkeypatch):
    monkeypatch.setattr(g2p, "MOST_PHONEMES", 20)
    eager = G2P(embedding=5, encoder_units=4, decoder_units=6).build("aktø", PHONEMES)
    eager.build()
    eager.readout.bias.assign([-50.0, 1, 0, 0, 0])  # never ends by itself
    answer = asked(entry("g2p").signatures(eager)["align"], "ka", "k" * 30)
    assert (answer["phonemes"] != b"").sum(axis=1).tolist() == [2 * 2 + LEAST_LIMIT, 20]


def test_attention_is_a_share_of_each_letter_for_each_phoneme(signatures):
    answer = asked(signatures["align"], "Kat", "a")
    assert answer["letters"].tolist() == [[b"k", b"a", b"t"], [b"a", b"", b""]]
    best = asked(signatures["align"], "a")["phonemes"][0].tolist()
    assert answer["phonemes"][1].tolist()[: len(best)] == best
    for row, letters in enumerate((3, 1)):
        steps = sum(phoneme != b"" for phoneme in answer["phonemes"][row])
        np.testing.assert_allclose(answer["attention"][row, :steps].sum(axis=-1), 1, atol=1e-5)
        assert (answer["attention"][row, :, letters:] < 1e-6).all()
        assert (answer["attention"][row, steps:] == 0).all()
