"""A small word model with random weights: scored, sampled and chunked as by hand."""

import numpy as np
import pytest
import tensorflow as tf

from models.language import likelihood, network
from models.language.signatures import state_names
from models.zoo import entry
from models.zoo.word_lm import WordLM

KNOWN = ["the", "cook", "bakes", "a", "pie", "."]
UNITS = 6
NAMES = state_names(2)


@pytest.fixture(scope="module")
def model():
    made = WordLM(units=UNITS).build(KNOWN)
    rng = np.random.default_rng(0)
    for variable in made.trainable_variables:
        variable.assign(rng.normal(scale=0.8, size=variable.shape))
    return made


@pytest.fixture(scope="module")
def signatures(model):
    """Each is traced once, when it is first asked."""
    return entry("word-lm").signatures(model)


def ask(signatures, name, **inputs):
    call = signatures[name]
    values = [tf.constant(inputs[spec.name], spec.dtype) for spec in call.input_signature]
    return {name: value.numpy() for name, value in call(*values).items()}


def zeros(rows):
    return {name: np.zeros((rows, UNITS)) for name in NAMES}


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def test_the_score_of_each_word_is_that_of_the_logits_of_step_before_it(signatures):
    tokens = np.array([[1, 2, 3, 4], [6, 5, 4, 8]])
    following = np.array([[2, 3, 4, 5], [5, 4, 8, 1]])
    said = ask(signatures, "score", tokens=tokens, following=following, **zeros(2))
    logits = ask(signatures, "step", tokens=tokens, lengths=[4, 4], **zeros(2))
    by_hand = -np.take_along_axis(log_softmax(logits["logits"]), following[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(said["nats"], by_hand, rtol=1e-4)
    for name in NAMES:
        np.testing.assert_allclose(said[name], logits[name], atol=1e-6)
    np.testing.assert_allclose(said["hidden"][:, -1], said["state_2_h"], atol=1e-6)


def test_scores_in_two_chunks_are_those_in_one(signatures):
    tokens, following = np.array([[1, 2, 3, 4]]), np.array([[2, 3, 4, 5]])
    whole = ask(signatures, "score", tokens=tokens, following=following, **zeros(1))
    first = ask(signatures, "score", tokens=tokens[:, :1], following=following[:, :1], **zeros(1))
    states = {name: first[name] for name in NAMES}
    second = ask(signatures, "score", tokens=tokens[:, 1:], following=following[:, 1:], **states)
    np.testing.assert_allclose(np.concatenate([first["nats"], second["nats"]], axis=1), whole["nats"], atol=1e-5)


def test_a_word_that_is_none_is_an_error_that_says_why(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match="each must be from 0 to 8"):
        ask(signatures, "score", tokens=[[9]], following=[[1]], **zeros(1))


@pytest.mark.parametrize("logits", [1, 2**18])
def test_the_likelihood_of_a_text_is_the_sum_of_its_scores_after_a_line_break(model, signatures, logits, monkeypatch):
    monkeypatch.setattr(likelihood, "MOST_LOGITS", logits)
    texts = ["the cook bakes a pie.", "zzz", ""]
    said = ask(entry("word-lm").signatures(model), "serving_default", text=texts)
    assert said["words"].tolist() == [6, 1, 0]
    assert said["log_likelihood"][2] == 0
    for row in range(2):
        tokens = model.words.encode(tf.constant(texts[row : row + 1]))[0].numpy()
        begins = np.insert(tokens[:, :-1], 0, model.words.line_break, axis=1)
        # the line break shows what begins a line; the text itself is read from zeros
        first = ask(signatures, "score", tokens=begins[:, :1], following=tokens[:, :1], **zeros(1))["nats"].sum()
        rest = ask(signatures, "score", tokens=tokens[:, :-1], following=tokens[:, 1:], **zeros(1))["nats"].sum()
        np.testing.assert_allclose(said["log_likelihood"][row], -first - rest, rtol=1e-4)


def test_the_next_words_are_the_likeliest_first(model, signatures):
    said = ask(signatures, "serving_default", text=["the cook"])
    tokens = model.words.encode(tf.constant(["the cook"]))[0].numpy()
    logits = ask(signatures, "step", tokens=tokens, lengths=[2], **zeros(1))["logits"][0, -1]
    names = [name.decode() for name in model.words.names().numpy()]
    best = np.argsort(-logits[1:]) + 1
    assert [word.decode() for word in said["next"][0]] == [names[token] for token in best]
    np.testing.assert_allclose(said["probability"][0], np.exp(log_softmax(logits))[best], rtol=1e-3)


@pytest.mark.parametrize("few", [1024, 1])
def test_without_heat_it_writes_what_a_loop_over_step_writes(model, signatures, few, monkeypatch):
    monkeypatch.setattr(network, "MOST_PROJECTED", few)
    tokens = model.words.encode(tf.constant(["the pie"]))[0].numpy()
    answer, written = ask(signatures, "step", tokens=tokens, lengths=[2], **zeros(1)), []
    for _ in range(8):
        written.append(int(answer["logits"][0, -1].argmax()))
        answer = ask(signatures, "step", tokens=[written[-1:]], lengths=[1], **{name: answer[name] for name in NAMES})
    expected = ask(signatures, "decode", tokens=[written])["text"][0]
    how = {"max_tokens": [8], "temperature": [0], "top_k": [0], "seed": [1]}
    assert ask(entry("word-lm").signatures(model), "generate", prompt=["the pie"], **how)["text"][0] == expected
