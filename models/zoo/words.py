"""Words to one-hot rows and back, inside the graph."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

Tensor = Any


def one_hot(words: Tensor, vocabulary: Sequence[str], what: str) -> Tensor:
    """Float one-hot rows [..., len(vocabulary)] of string words [...].

    Raises InvalidArgumentError, naming the first word that is not in the vocabulary and the words that are."""
    rows = tf.cast(tf.equal(words[..., None], tf.constant(list(vocabulary))), tf.float32)
    unknown = tf.boolean_mask(words, tf.reduce_sum(rows, axis=-1) < 1)
    text = tf.strings.join(
        [f"{what} got [", tf.strings.reduce_join(unknown[:1]), f"]; the known words are: {', '.join(vocabulary)}"]
    )
    with tf.control_dependencies([tf.debugging.Assert(tf.equal(tf.size(unknown), 0), [text])]):
        return tf.identity(rows)


def words_of(rows: Tensor, vocabulary: Sequence[str]) -> Tensor:
    """The word [...] of each one-hot row [..., len(vocabulary)]."""
    return tf.gather(tf.constant(list(vocabulary)), tf.argmax(rows, axis=-1))
