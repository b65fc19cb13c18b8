"""Text to tokens and back, held against Python's own strings."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.language import Characters

KNOWN = Characters("abc é猫😀")


def as_in_python(text):
    shown = text or "\n"
    return [KNOWN.text.index(c) + 1 if c in KNOWN.text else 0 for c in shown]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(alphabet="abcdé猫😀\n\r \x00z", max_size=6), min_size=1, max_size=4))
def test_each_row_has_the_tokens_of_its_characters_then_padding(texts):
    tokens, lengths = (part.numpy() for part in KNOWN.encode(tf.constant([t.encode() for t in texts])))
    for row, length, text in zip(tokens, lengths, texts, strict=True):
        assert row[:length].tolist() == as_in_python(text)
        assert (row[length:] == -1).all()
        if text:
            assert KNOWN.tokens(text).tolist() == as_in_python(text)


def test_known_text_comes_back_and_unknown_characters_are_shown_as_replaced():
    texts = ["a猫b", "", "xa😀é", "\n"]
    tokens, _ = KNOWN.encode(tf.constant(texts))
    assert [t.decode() for t in KNOWN.decode(tokens).numpy()] == ["a猫b", "\n", "\ufffda😀é", "\n"]


def test_bytes_that_are_no_utf_8_are_unknown():
    assert KNOWN.encode(tf.constant([b"a\xffb"]))[0].numpy().tolist() == [as_in_python("a?b")]


def test_a_batch_of_none_gives_none():
    tokens, lengths = KNOWN.encode(tf.constant([], tf.string))
    assert (tokens.shape[0], lengths.shape) == (0, (0,))


def test_a_token_that_is_none_is_an_error_that_says_which_are():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"tokens got \[\[99\]\]; each must be from 0 to 8"):
        KNOWN.decode(tf.constant(np.array([[99]], np.int32)))
