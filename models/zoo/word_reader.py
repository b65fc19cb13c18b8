"""Words as vectors, inside the graph: a vector of each known word beside what an LSTM reads in its spelling.

    vector = embedding[ word ] ; h_last of an LSTM over the bytes, forward ; the same backward

Characters as a second source: Ling et al. 2015, Lample et al. 2016; word dropout by frequency: Kiperwasser & Goldberg
2016. Spelling is read byte by byte in UTF-8, so that no character is unknown.
"""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from models.layers.lstm import LSTM

Tensor = Any

UNKNOWN = 0  # the row of the embedding for words that the vocabulary does not have


@keras.saving.register_keras_serializable(package="seqzoo")
class WordReader(keras.layers.Layer):
    """Maps tokens [batch, time] string to vectors [batch, time, word_units + 2 * spelling_units].

    counts: how often training has each word of the vocabulary, in lower case. word_dropout a: training takes a word of
    count n for unknown with probability a / (a + n), so that the rare ones teach how to read unknown ones.
    longest_word_bytes: of a longer word, such as an address, the beginning is read."""

    def __init__(
        self,
        counts: Mapping[str, int],
        word_units: int,
        byte_units: int,
        spelling_units: int,
        word_dropout: float,
        longest_word_bytes: int = 32,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.counts = dict(counts)
        self.sizes = {"word_units": word_units, "byte_units": byte_units, "spelling_units": spelling_units}
        self.word_dropout, self.longest_word_bytes = word_dropout, longest_word_bytes
        rows = tf.range(1, len(self.counts) + 1)
        known = tf.lookup.KeyValueTensorInitializer(tf.constant(list(self.counts), tf.string), rows)
        self.table = tf.lookup.StaticHashTable(known, UNKNOWN)
        self.words = keras.layers.Embedding(len(self.counts) + 1, word_units, name="words")
        self.bytes = keras.layers.Embedding(256, byte_units, name="bytes")
        self.spelling = keras.layers.Bidirectional(LSTM(spelling_units), name="spelling")
        self.seed = keras.random.SeedGenerator()

    @property
    def units(self) -> int:
        """Length of each vector."""
        return self.sizes["word_units"] + 2 * self.sizes["spelling_units"]

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights."""
        self.words.build()
        self.bytes.build()
        self.spelling.build((None, None, self.sizes["byte_units"]))
        self.built = True

    def call(self, tokens: Tensor, training: bool = False) -> Tensor:
        """The vectors; those of padding ("") are of no use. Each distinct word is spelled once."""
        distinct, which = tf.unique(tf.reshape(tokens, [-1]))
        which = tf.reshape(which, tf.shape(tokens))
        rows = tf.gather(self.table.lookup(tf.strings.lower(distinct, encoding="utf-8")), which)
        if training and self.word_dropout:
            seen = tf.gather(tf.constant([0.0, *self.counts.values()], tf.float32), rows)
            draw = keras.random.uniform(tf.shape(rows), seed=self.seed)
            rows = tf.where(draw < self.word_dropout / (self.word_dropout + seen), UNKNOWN, rows)
        vectors, spelled = self.words(rows), self._spelled(distinct)
        return tf.concat([vectors, tf.gather(tf.cast(spelled, vectors.dtype), which)], axis=-1)

    def _spelled(self, words: Tensor) -> Tensor:
        words = tf.strings.substr(words, 0, self.longest_word_bytes)
        lengths = tf.strings.length(words)
        longest = tf.maximum(tf.reduce_max(lengths), 1)
        read = tf.cast(tf.io.decode_raw(words, tf.uint8, fixed_length=longest), tf.int32)
        return self.spelling(self.bytes(read), mask=tf.sequence_mask(lengths, longest))

    def get_config(self) -> dict[str, Any]:
        """The arguments, the vocabulary among them."""
        own = {"counts": self.counts, "word_dropout": self.word_dropout, "longest_word_bytes": self.longest_word_bytes}
        return {**super().get_config(), **self.sizes, **own}
