"""The words of English text, inside the graph: white space separates them, and rules take off what clings to them.

Words are those of the Universal Dependencies English Web Treebank, in the manner of the Penn Treebank: punctuation is a
word of its own, "don't" is "do n't", "Ann's" is "Ann 's", "well-known" is "well - known". Addresses, names of files,
numbers, abbreviations with their point and faces such as :-) stay whole.
"""

from typing import Any

import tensorflow as tf

Tensor = Any

FACE = r"[:;=8][-o^']?[()\[\]dDpP/\\|*]+|[<>]3|\^_*\^|[.\-_=*~#+]+"
CLITIC = r"(?i)['’](s|m|d|ll|re|ve|em|til|cause|n|t)"
PIECES = r"""(["'`“‘«(\[{<*$£€#]*)(.*?)(["'”’»)\]}>,;:!?.…*%]*)"""  # what opens, the word, what closes
WHOLE = (
    r"(?i)(https?://|www\.).*|[^@]+@[\w.-]+|[\w./-]+\.(com|org|net|edu|gov|html?|doc|pdf|xls|ppt)(/.*)?"  # addresses
    r"|(e|co|re|un|non|pre|post|anti|pro|multi|semi)-[a-z]+"
)
RUN = r"([!?.]+|<+|>+|'+|’+|\*+|.)"  # of marks that are one word
ABBREVIATION = (
    r"(?i)[a-z]|[a-z](\.[a-z])+|mr|mrs|ms|dr|st|vs|etc|jr|sr|inc|co|corp|ltd|no|jan|feb|mar|apr|jun|jul|aug|sept?|oct|"
    r"nov|dec|mon|tue|wed|thu|thur|fri|sat|sun|ft|lt|gen|sen|rep|gov|prof|dept|ave"
)
BETWEEN = (
    (r"(\.\.+|--+|[!?]+)", r" \1 "),
    (r"""([()\[\]"“”;…])""", r" \1 "),
    (r"([^0-9])([,:])", r"\1 \2 "),
    (r"([,:])([^0-9])", r" \1 \2"),
    (r"([A-Za-z])([/-])([A-Za-z])", r"\1 \2 \3"),
    (r"([A-Za-z])([/-])([A-Za-z])", r"\1 \2 \3"),  # again: a-b-c
    (r"(?i)(n['’]t)$", r" \1"),
    (r"(?i)(['’](s|m|d|ll|re|ve))$", r" \1"),
    (r"(?i)^(can)(not)$|^(gon|wan)(na)$|^(got)(ta)$", r"\1\3\5 \2\4\6"),
)


def split_words(texts: Tensor) -> Tensor:
    """The words of each text [batch] string: ragged [batch, words] string. Bytes that are no UTF-8 are no obstacle."""
    chunks = tf.strings.split(texts)
    words = tf.strings.split(_apart(chunks.flat_values))
    return chunks.with_values(words).merge_dims(1, 2)


def _apart(chunks: Tensor) -> Tensor:
    """Texts without white space [count], with spaces between their words."""
    whole = _is(chunks, FACE) | _is(chunks, CLITIC) | ~_is(chunks, PIECES)
    opening, word, closing = (tf.strings.regex_replace(chunks, f"^{PIECES}$", rf"\{n}") for n in (1, 2, 3))
    with_point = _is(word, ABBREVIATION) & _is(closing, r"\..*")
    between = tf.where(_is(word, WHOLE), word, _rewritten(word, BETWEEN))
    closing = tf.where(with_point, tf.strings.regex_replace(closing, r"^\.", ""), closing)
    parts = [
        tf.strings.regex_replace(opening, RUN, r"\1 "),
        tf.where(with_point, word + ".", between),
        tf.strings.regex_replace(closing, RUN, r" \1"),
    ]
    return tf.where(whole, chunks, tf.strings.join(parts))


def _is(texts: Tensor, pattern: str) -> Tensor:
    return tf.strings.regex_full_match(texts, pattern)


def _rewritten(texts: Tensor, steps: Any) -> Tensor:
    for pattern, by in steps:
        texts = tf.strings.regex_replace(texts, pattern, by)
    return texts
