"""Text as the numbers of its words and back, inside the graph.

    token 0: none       token k: the k-th word, the most frequent first       <unk>: every word that is not among them

White space separates words; a line break is a word of its own. A word that is not known gives up what clings to it,
in the manner of WikiText: "sat." is "sat .", "cook's" is "cook 's", "well-known" is "well @-@ known".
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from models.language.characters import LINE_BREAK, PADDING

Tensor = Any

UNKNOWN_WORD = "<unk>"
END_OF_LINE = "<eos>"  # what a line break is while it is a word
PIECES = r"""(["'“‘(\[]*)(.*?)([.,;:!?…)"'”’\]]*)"""  # what opens, the word, what closes
BETWEEN = (
    (r"([0-9])([,.])([0-9])", r"\1 @\2@ \3"),
    (r"([^\s@])-([^\s@])", r"\1 @-@ \2"),
    (r"([A-Za-z])['’]([A-Za-z]+)$", r"\1 '\2"),
)


class Words:
    """The known words, in the order that is given; `listed` is all of them, the line break and <unk> among them."""

    counted = "words"  # what a text has so many of

    def __init__(self, known: Iterable[str]) -> None:
        given = [END_OF_LINE if word == LINE_BREAK else word for word in known]
        self.listed = list(dict.fromkeys([*given, END_OF_LINE, UNKNOWN_WORD]))
        self._number = {word: number for number, word in enumerate(self.listed, start=1)}
        rows = tf.range(1, len(self.listed) + 1)
        pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(self.listed, tf.string), rows)
        self.table = tf.lookup.StaticHashTable(pairs, self._number[UNKNOWN_WORD])

    def __len__(self) -> int:
        """How many tokens there are, token 0 among them."""
        return len(self.listed) + 1

    @property
    def line_break(self) -> int:
        """The token of the line break."""
        return self._number[END_OF_LINE]

    def tokens(self, words: Sequence[str]) -> np.ndarray:
        """The tokens int32 [words] of words as they are, outside the graph; a line break is `END_OF_LINE`."""
        unknown = self._number[UNKNOWN_WORD]
        return np.array([self._number.get(word, unknown) for word in words], np.int32)

    def encode(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """tokens int32 [batch, time] and lengths int32 [batch] of text [batch]; past its length a row is -1.

        A text without a word gives the line break."""
        text = tf.strings.regex_replace(text, "\r?\n", f" {END_OF_LINE} ")
        text = tf.where(tf.equal(tf.strings.strip(text), ""), END_OF_LINE, text)
        chunks = tf.strings.split(text)
        known = self._is_known(chunks.flat_values)
        words = chunks.with_values(tf.strings.split(tf.where(known, chunks.flat_values, _apart(chunks.flat_values))))
        tokens = words.merge_dims(1, 2)
        tokens = tokens.with_flat_values(self.table.lookup(tokens.flat_values))
        return tokens.to_tensor(PADDING), tf.cast(tokens.row_lengths(), tf.int32)

    def decode(self, tokens: Tensor) -> Tensor:
        """Text [batch] of tokens int [batch, time], spaces between words; negative ones are padding and left out.

        Raises InvalidArgumentError for a token that is none."""
        most = len(self) - 1
        text = tf.strings.format(f"tokens got {{}}; each must be from 0 to {most}, or -1 past its row's end", tokens)
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(tokens <= most), [text])]):
            shown = tf.ragged.boolean_mask(tokens, tokens >= 0)
        words = shown.with_flat_values(tf.gather(self.names(), shown.flat_values))
        joined = tf.strings.reduce_join(words, axis=-1, separator=" ")
        return tf.strings.regex_replace(joined, " ?\n ?", "\n")

    def names(self) -> Tensor:
        """The text of each token, string [tokens]."""
        shown = [LINE_BREAK if word == END_OF_LINE else word for word in self.listed]
        return tf.constant([UNKNOWN_WORD, *shown])

    def _is_known(self, words: Tensor) -> Tensor:
        unknown = self._number[UNKNOWN_WORD]
        return tf.not_equal(self.table.lookup(words), unknown) | tf.equal(words, UNKNOWN_WORD)


def _apart(words: Tensor) -> Tensor:
    """Texts without white space [count], with spaces between a word and what clings to it."""
    opening, word, closing = (tf.strings.regex_replace(words, f"^{PIECES}$", rf"\{n}") for n in (1, 2, 3))
    for pattern, by in BETWEEN:
        word = tf.strings.regex_replace(word, pattern, by)
    spaced = [tf.strings.regex_replace(part, "(.)", r" \1 ") for part in (opening, closing)]
    return tf.strings.join([spaced[0], word, spaced[1]])
