"""A small character model with random weights: chunked, padded, sampled and scored as by hand."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.language import likelihood, network
from models.language.signatures import state_names
from models.zoo import entry
from models.zoo.char_lm import CharLM

ALPHABET = "\n abcdefghij"
UNITS = 12
NAMES = state_names(2)


@pytest.fixture(scope="module", params=[0, 1], ids=["own readout", "tied"])
def model(request):
    size = UNITS if request.param else 5
    built = CharLM(embedding=size, units=UNITS, layers=2, tied=request.param).build(ALPHABET)
    rng = np.random.default_rng(0)
    for variable in built.trainable_variables:
        variable.assign(rng.normal(scale=0.8, size=variable.shape))
    return built


@pytest.fixture(scope="module")
def signatures(model):
    return entry("char-lm").signatures(model)


def zeros(rows):
    return {name: np.zeros((rows, UNITS), "float32") for name in NAMES}


def step(signatures, tokens, lengths, states):
    given = [np.asarray(tokens, np.int32), np.asarray(lengths, np.int32), *(states[name] for name in NAMES)]
    answer = {name: value.numpy() for name, value in signatures["step"](*map(tf.constant, given)).items()}
    return answer["logits"], {name: answer[name] for name in NAMES}


def generate(signatures, prompts, max_tokens=20, temperature=1.0, top_k=0, seeds=None):
    rows = len(prompts)
    how = (
        tf.constant(np.broadcast_to(max_tokens, rows), tf.int32),
        tf.constant(np.broadcast_to(temperature, rows), tf.float32),
        tf.constant(np.broadcast_to(top_k, rows), tf.int32),
        tf.constant(range(rows) if seeds is None else seeds, tf.int64),
    )
    return [text.decode() for text in signatures["generate"](tf.constant(prompts, tf.string), *how)["text"].numpy()]


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def likelihood_by_hand(signatures, characters, text):
    tokens = characters.tokens(text)
    begins, _ = step(signatures, [[characters.line_break]], [1], zeros(1))
    logits, _ = step(signatures, [tokens], [len(tokens)], zeros(1))
    said = log_softmax(np.concatenate([begins[0], logits[0]]))
    return sum(said[t, token] for t, token in enumerate(tokens)), np.exp(said[-1])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5).filter(sum), st.integers(0, 2**31))
def test_any_chunks_give_what_the_whole_gives(signatures, chunks, seed):
    tokens = np.random.default_rng(seed).integers(0, len(ALPHABET) + 1, (2, sum(chunks)))
    whole, end = step(signatures, tokens, [sum(chunks)] * 2, zeros(2))
    states, begin, parts = zeros(2), 0, []
    for length in chunks:
        logits, states = step(signatures, tokens[:, begin : begin + length], [length] * 2, states)
        begin += length
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=2e-5)
    for name in NAMES:
        np.testing.assert_allclose(states[name], end[name], atol=2e-5)


def test_tokens_past_the_length_change_nothing_whatever_they_are(signatures):
    tokens = np.array([[1, 2, 3, -1, 99], [4, 5, 6, 7, 8], [-1] * 5])
    logits, states = step(signatures, tokens, [3, 5, 0], zeros(3))
    for row, length in enumerate([3, 5]):
        alone, end = step(signatures, tokens[row : row + 1, :length], [length], zeros(1))
        np.testing.assert_allclose(logits[row, :length], alone[0], atol=2e-5)
        np.testing.assert_allclose(states["state_2_c"][row], end["state_2_c"][0], atol=2e-5)
    np.testing.assert_array_equal(logits[0, 3:], 0)
    np.testing.assert_array_equal(states["state_1_h"][2], 0)


@pytest.mark.parametrize(
    ("tokens", "lengths", "match"),
    [([[1, 2]], [3], r"lengths got \[3\]; each must be from 0 to"), ([[1, 99]], [2], r"each must be from 0 to 12")],
)
def test_what_cannot_be_a_chunk_is_an_error_that_says_why(signatures, tokens, lengths, match):
    with pytest.raises(tf.errors.InvalidArgumentError, match=match):
        step(signatures, tokens, lengths, zeros(1))


@pytest.mark.parametrize("chunk", [3, likelihood.CHUNK])
def test_the_likelihood_of_ragged_texts_is_that_of_each_by_hand(model, signatures, chunk, monkeypatch):
    asked = signatures
    if chunk != likelihood.CHUNK:  # read when a signature is traced
        monkeypatch.setattr(likelihood, "CHUNK", chunk)
        asked = entry("char-lm").signatures(model)
    texts = ["abc", "j", "a longer?" + "bad cafe " * 3, "\n\n"]
    answer = {n: v.numpy() for n, v in asked["serving_default"](tf.constant(texts)).items()}
    for row, text in enumerate(texts):
        expected, after = likelihood_by_hand(signatures, model.characters, text)
        np.testing.assert_allclose(answer["log_likelihood"][row], expected, rtol=1e-4)
        best = np.argsort(-after[1:])[:10]
        assert [c.decode() for c in answer["next"][row]] == [ALPHABET[i] for i in best]
        np.testing.assert_allclose(answer["probability"][row], after[1:][best], rtol=1e-3)
    assert answer["characters"].tolist() == [len(text) for text in texts]


def test_an_empty_text_is_certain_and_what_follows_it_begins_a_line(signatures):
    empty, line = (signatures["serving_default"](tf.constant([text])) for text in ("", "\n"))
    assert empty["log_likelihood"].numpy() == [0]
    assert empty["characters"].numpy() == [0]
    np.testing.assert_array_equal(empty["next"], line["next"])


def test_an_unknown_character_has_its_fixed_small_probability(model, signatures):
    logits, _ = step(signatures, [[3, 0, 5]], [3], zeros(1))
    np.testing.assert_allclose(np.exp(log_softmax(logits[0]))[:, 0], 1e-6, rtol=1e-2)


@pytest.mark.parametrize("prompt", ["", "bad", "x?"])
def test_without_heat_it_writes_what_a_loop_over_step_writes(model, signatures, prompt):
    tokens = signatures["encode"](tf.constant([prompt]))["tokens"].numpy()
    logits, states = step(signatures, tokens, [tokens.shape[1]], zeros(1))
    written = []
    for _ in range(30):
        written.append(int(logits[0, -1].argmax()))
        logits, states = step(signatures, [[written[-1]]], [1], states)
    expected = signatures["decode"](tf.constant([written]))["text"].numpy()[0].decode()
    assert generate(signatures, [prompt], 30, temperature=0) == [expected]


def test_one_seed_writes_one_text_whatever_is_beside_it(signatures):
    prompts, seeds, lengths = ["abc", "", "def"], [7, 8, -3], [25, 3, 40]
    together = generate(signatures, prompts, lengths, 0.9, [0, 2, 4], seeds)
    assert together == generate(signatures, prompts, lengths, 0.9, [0, 2, 4], seeds)
    assert [len(text) for text in together] == lengths
    for row in range(3):
        alone = generate(signatures, prompts[row : row + 1], lengths[row], 0.9, [0, 2, 4][row], seeds[row : row + 1])
        assert alone == together[row : row + 1]
    assert generate(signatures, ["abc"] * 3, 25, seeds=[7, 8, 9])[0] != generate(signatures, ["abc"], 25, seeds=[8])[0]


def test_the_best_of_one_is_what_no_heat_gives(signatures):
    assert generate(signatures, ["ab"], 20, 1.5, top_k=1) == generate(signatures, ["ab"], 20, 0)


@pytest.mark.parametrize(("heat", "k"), [(1.0, 0), (0.7, 0), (1.0, 3)])
def test_characters_are_drawn_as_often_as_their_probability_says(signatures, heat, k):
    count = 4000
    drawn = generate(signatures, ["abc"] * count, 1, heat, k, seeds=range(count))
    logits, _ = step(signatures, signatures["encode"](tf.constant(["abc"]))["tokens"], [3], zeros(1))
    scaled = logits[0, -1, 1:].astype(np.float64) / heat
    if k:
        scaled[np.argsort(-scaled)[k:]] = -np.inf
    expected = np.exp(log_softmax(scaled))
    shares = np.array([drawn.count(c) for c in ALPHABET]) / count
    np.testing.assert_allclose(shares, expected, atol=5 * np.sqrt(0.25 / count))
    assert not shares[expected == 0].any()


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"max_tokens": 5000}, r"max_tokens got \[5000\]; each must be from 0 to 4096"),
        ({"temperature": -1.0}, r"temperature got \[-1\]; each must be 0 or more"),
        ({"top_k": -1}, r"top_k got \[-1\]"),
    ],
)
def test_what_cannot_be_sampled_is_an_error_that_says_why(signatures, wrong, match):
    with pytest.raises(tf.errors.InvalidArgumentError, match=match):
        generate(signatures, ["a"], **wrong)


def test_nothing_is_written_where_nothing_is_asked_for(signatures):
    assert generate(signatures, ["a", "b"], [0, 2])[0] == ""
    assert generate(signatures, ["a"], 0) == [""]


@pytest.mark.parametrize("block", [1, 5, network.BLOCK])
def test_the_nats_of_what_follows_are_those_of_all_logits(model, block, monkeypatch):
    monkeypatch.setattr(network, "BLOCK", block)
    rng = np.random.default_rng(1)
    shown = rng.normal(scale=2, size=(3, 40, UNITS)).astype("float32")
    following = rng.integers(0, model.tokens, size=(3, 40)).astype("int32")
    assert set(following.ravel()) == set(range(model.tokens))  # the unknown one too
    expected = -np.take_along_axis(log_softmax(model.logits(shown).numpy()), following[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(model.nats(shown, following), expected, rtol=1e-4, atol=1e-5)


def test_sizes_that_cannot_be_tied_are_refused():
    with pytest.raises(ValueError, match="tied=True with embedding=4 and units=8; expected the same size"):
        CharLM(embedding=4, units=8, tied=1).build()
