"""Words to tokens and back: what is known stays whole, what is not gives up what clings to it."""

import numpy as np
import pytest
import tensorflow as tf

from models.language import Words

KNOWN = ["the", "cook", "U.S.", ".", ",", "(", ")", "@-@", "'s", "1", "000", "@,@", "well", "known", "bakes"]


@pytest.fixture(scope="module")
def words():
    return Words(KNOWN)


def read(words, *texts):
    """The words that a text is read as."""
    tokens, lengths = words.encode(tf.constant(texts))
    return [[words.listed[t - 1] for t in row[:n]] for row, n in zip(tokens.numpy(), lengths.numpy(), strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the cook bakes .", "the cook bakes ."),
        ("the cook bakes.", "the cook bakes ."),
        ("(the U.S. cook),", "( the U.S. cook ) ,"),
        ("the cook's well-known.", "the cook 's well @-@ known ."),
        ("1,000 @,@", "1 @,@ 000 @,@"),
        ("the zzz bakes\xa0\xff.", "the <unk> <unk> ."),
        ("the cook\n\r\nbakes", "the cook <eos> <eos> bakes"),
        ("", "<eos>"),
        (" \t ", "<eos>"),
        ("<unk>", "<unk>"),
    ],
)
def test_a_text_is_read_as_these_words(words, text, expected):
    assert read(words, text) == [expected.split()]


def test_rows_of_different_lengths_are_padded_and_each_is_what_it_is_alone(words):
    texts = ["the", "the cook bakes.", ""]
    tokens, lengths = words.encode(tf.constant(texts))
    assert lengths.numpy().tolist() == [1, 4, 1]
    assert (tokens.numpy()[0, 1:] == -1).all()
    assert read(words, *texts) == [read(words, text)[0] for text in texts]


def test_outside_the_graph_words_have_the_same_numbers(words):
    text = "the cook zzz <eos> ."
    tokens, _ = words.encode(tf.constant(["the cook zzz\n."]))
    np.testing.assert_array_equal(words.tokens(text.split()), tokens.numpy()[0])
    assert words.line_break == tokens.numpy()[0, 3]


def test_tokens_become_text_again_with_lines(words):
    tokens, _ = words.encode(tf.constant(["the cook .\nthe U.S.\n", "the"]))
    assert [t.decode() for t in words.decode(tokens).numpy()] == ["the cook .\nthe U.S.\n", "the"]


def test_a_token_that_is_none_is_an_error_that_says_why(words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"each must be from 0 to 17, or -1 past"):
        words.decode(tf.constant([[1, 18]]))


def test_a_broken_byte_is_an_unknown_word(words):
    tokens, _ = words.encode(tf.constant([b"the \xff\xfe cook"]))
    assert [words.listed[t - 1] for t in tokens.numpy()[0]] == ["the", "<unk>", "cook"]
