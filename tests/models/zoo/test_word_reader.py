"""Words as vectors: what is known of a word, and what its spelling says."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.zoo.word_reader import WordReader

COUNTS = {"the": 100, "köln": 3, "once": 1}
SIZES = {"word_units": 4, "byte_units": 3, "spelling_units": 5}


@pytest.fixture
def reader():
    keras.utils.set_random_seed(0)
    layer = WordReader(COUNTS, **SIZES, word_dropout=0.5)
    layer.build()
    return layer


def read(reader, tokens, training=False):
    return reader(tf.constant(tokens), training=training).numpy()


def test_known_words_have_their_own_row_whatever_their_case(reader):
    rows = read(reader, [["The", "KÖLN", "once", "never", "the"]])[0, :, :4]
    table = reader.words.get_weights()[0]
    np.testing.assert_array_equal(rows, table[[1, 2, 3, 0, 1]])


def test_spelling_tells_unknown_words_and_cases_apart(reader):
    the, The, xylo = read(reader, [["the", "The", "xylo"]])[0, :, 4:]
    assert np.abs(the - The).max() > 1e-3
    assert np.abs(the - xylo).max() > 1e-3


def test_spelling_is_the_last_state_of_an_lstm_in_each_direction(reader):
    word = "né"
    embedded = reader.bytes.get_weights()[0][list(word.encode())][None]
    there, back = reader.spelling.forward_layer, reader.spelling.backward_layer
    expected = np.concatenate([there(embedded), back(embedded)], axis=-1)[0]
    np.testing.assert_allclose(read(reader, [["a-longer-word", word]])[0, 1, 4:], expected, atol=1e-6)


def test_of_a_long_word_the_beginning_is_read(reader):
    long, cut = "x" * 31 + "yz", "x" * 31 + "yy"
    one, other = read(reader, [[long, cut]])[0, :, 4:]
    np.testing.assert_array_equal(one, other)


def test_padding_and_bytes_that_are_no_text_are_read_too(reader):
    assert np.isfinite(read(reader, [[b"", b"\xff\xfe"]])).all()


def test_training_takes_rare_words_for_unknown_more_often_than_frequent_ones(reader):
    table = reader.words.get_weights()[0]
    vectors = read(reader, [["once", "the"] * 2000], training=True)[0, :, :4]
    unknown = (vectors == table[0]).all(axis=-1)
    assert unknown[::2].mean() == pytest.approx(0.5 / 1.5, abs=0.04)
    assert unknown[1::2].mean() == pytest.approx(0.5 / 100.5, abs=0.01)


def test_a_reader_made_from_its_configuration_reads_alike(reader):
    again = WordReader.from_config(reader.get_config())
    again.build()
    again.set_weights(reader.get_weights())
    np.testing.assert_array_equal(read(again, [["once", "new"]]), read(reader, [["once", "new"]]))
