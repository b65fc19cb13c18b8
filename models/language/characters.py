"""Text as the numbers of its characters and back, inside the graph.

    token 0: any character that is not among the known ones       token k: the k-th known character

A line break is always known: it is what a text without a character begins with.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

Tensor = Any

UNKNOWN = 0
PADDING = -1
LINE_BREAK = "\n"
REPLACEMENT = "\ufffd"  # what an unknown character is shown as


class Characters:
    """The known characters, in the order of their code points; `text` is all of them."""

    counted = "characters"  # what a text has so many of

    def __init__(self, known: Iterable[str]) -> None:
        self.text = "".join(sorted({*known, LINE_BREAK}))
        self.code_points = np.array([ord(character) for character in self.text], np.int32)

    def __len__(self) -> int:
        """How many tokens there are, the unknown character's among them."""
        return len(self.text) + 1

    @property
    def line_break(self) -> int:
        """The token of the line break."""
        return self.text.index(LINE_BREAK) + 1

    def tokens(self, text: str) -> np.ndarray:
        """The tokens int32 [characters] of a text, outside the graph."""
        code_points = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64)
        position = np.minimum(np.searchsorted(self.code_points, code_points), len(self.text) - 1)
        return np.where(self.code_points[position] == code_points, position + 1, UNKNOWN).astype(np.int32)

    def encode(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """tokens int32 [batch, time] and lengths int32 [batch] of UTF-8 text [batch]; past its length a row is -1.

        A text without a character gives the line break. Bytes that are not UTF-8 are unknown characters."""
        text = tf.where(tf.equal(text, ""), LINE_BREAK, text)
        decoded = tf.strings.unicode_decode(text, "UTF-8", errors="replace", replace_control_characters=False)
        code_points = tf.constant(self.code_points)
        position = tf.searchsorted(code_points, decoded.flat_values)
        position = tf.minimum(position, len(self.text) - 1)
        known = tf.equal(tf.gather(code_points, position), decoded.flat_values)
        tokens = decoded.with_flat_values(tf.where(known, position + 1, UNKNOWN))
        return tokens.to_tensor(PADDING), tf.cast(tokens.row_lengths(), tf.int32)

    def decode(self, tokens: Tensor) -> Tensor:
        """UTF-8 text [batch] of tokens int [batch, time]; negative ones are padding and left out.

        Raises InvalidArgumentError for a token that is none."""
        most = len(self) - 1
        text = tf.strings.format(f"tokens got {{}}; each must be from 0 to {most}, or -1 past its row's end", tokens)
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(tokens <= most), [text])]):
            shown = tf.ragged.boolean_mask(tokens, tokens >= 0)
        code_points = tf.constant([ord(REPLACEMENT), *self.code_points], tf.int32)
        code_points = shown.with_flat_values(tf.gather(code_points, shown.flat_values))
        return tf.strings.unicode_encode(code_points, "UTF-8")

    def names(self) -> Tensor:
        """The text of each token, string [tokens]."""
        return tf.constant([REPLACEMENT, *self.text])
