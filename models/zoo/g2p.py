"""How a word is pronounced: from its letters to its phonemes, by an encoder, attention and a decoder.

    phonemes = the likeliest by beam search of P( phonemes | letters )

The form of slide S12 from a sequence to another of another length, over the LSTM of slides S10 and S11. Grapheme to
phoneme with encoder and decoder: Yao & Zweig 2015; with attention: Toshniwal & Livescu 2016.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import tensorflow as tf

from models.language import Characters
from models.sequence_to_sequence import END, SequenceToSequence, beam_search
from models.zoo.entry import Entry

Tensor = Any

N_BEST = 5  # pronunciations that `serving_default` gives, and the width of its beam
LEAST_LIMIT = 10  # phonemes that a word may have beyond two for each letter; `fyi` has the most, nine
MOST_PHONEMES = 1024  # of whatever is sent as a word
ENGLISH = "'-.abcdefghijklmnopqrstuvwxyz"  # the letters of CMUdict
ARPABET = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"


@dataclass(frozen=True)
class G2P:
    """Letters read from both ends; a decoder of two layers, the lower asks for attention, the upper writes."""

    embedding: int = 64
    encoder_units: int = 128  # in each direction
    encoder_layers: int = 1
    decoder_units: int = 192
    dropout: float = 0.1
    unknown_rate: float = 0.002  # of letters that training takes for unknown

    def build(self, letters: Iterable[str] = ENGLISH, phonemes: Sequence[str] = tuple(ARPABET.split())) -> keras.Model:
        """The network over these letters and phonemes, untrained."""
        return Pronouncer("".join(letters), list(phonemes), **asdict(self))


@keras.saving.register_keras_serializable(package="seqzoo")
class Pronouncer(SequenceToSequence):
    """A network that knows the letters and the phonemes that its tokens stand for."""

    def __init__(self, letters: str, phonemes: Sequence[str], **network: Any) -> None:
        known = Characters(letters)
        super().__init__(sources=len(known), targets=1 + len(phonemes), **{"name": "g2p", **network})
        self.letters, self.phonemes = known, list(phonemes)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        own = {"letters": self.letters.text, "phonemes": self.phonemes}
        rest = {name: value for name, value in super().get_config().items() if name not in ("sources", "targets")}
        return {**own, **rest}


def signatures(model: Pronouncer) -> Mapping[str, Any]:
    """serving_default: words to their likeliest pronunciations with their probabilities. align: words to the phonemes
    that are the likeliest one by one, and the weight that each gave to each letter."""
    word = tf.TensorSpec([None], tf.string, "word")
    names = ["", *model.phonemes]

    def search(word: Tensor, width: int) -> tuple[Any, Tensor, Any]:
        source, lengths = model.letters.encode(tf.strings.lower(word, encoding="utf-8"))
        lengths = tf.where(tf.equal(word, ""), 0, lengths)
        encoded = model.encode(source)
        limits = tf.where(lengths > 0, tf.minimum(2 * lengths + LEAST_LIMIT, MOST_PHONEMES), 0)
        return encoded, lengths, beam_search(model.one_step(encoded), model.start(encoded), limits, width)

    @tf.function(input_signature=[word], autograph=False)
    def serving_default(word: Tensor) -> dict[str, Tensor]:
        _, lengths, found = search(word, N_BEST)
        texts = tf.strings.reduce_join(tf.gather(tf.constant(names), found.tokens), axis=-1, separator=" ")
        nothing = tf.one_hot(tf.zeros_like(lengths), N_BEST)  # is pronounced as nothing
        real = tf.math.is_finite(found.log_probability)
        return {
            "phonemes": tf.where(real, tf.strings.strip(texts), ""),
            "scores": tf.where((lengths > 0)[:, None], tf.exp(found.log_probability), nothing),
        }

    @tf.function(input_signature=[word], autograph=False)
    def align(word: Tensor) -> dict[str, Tensor]:
        encoded, lengths, found = search(word, 1)
        tokens = found.tokens[:, 0]
        steps = tf.maximum(tf.reduce_max(tf.reduce_sum(tf.cast(tokens != END, tf.int32), axis=1)), 0)
        tokens = tokens[:, :steps]
        previous = tf.pad(tokens, [[0, 0], [1, 0]], constant_values=END)[:, :steps]
        _, weights = model.forced(encoded, previous)
        longest = tf.maximum(tf.reduce_max(lengths), 0)
        letters = tf.strings.unicode_split(tf.strings.lower(word, encoding="utf-8"), "UTF-8").to_tensor("")
        return {
            "letters": letters[:, :longest],
            "phonemes": tf.gather(tf.constant(names), tokens),
            "attention": tf.where((tokens != END)[..., None], weights, 0.0)[..., :longest],
        }

    return {"serving_default": serving_default, "align": align}


ENTRY = Entry(
    "g2p",
    G2P,
    task="sequence-to-sequence",
    data="cmudict",
    metric="validation_word_error_rate",
    summary="how a word is pronounced: letters to phonemes, the likeliest pronunciations with their probability",
    signatures=signatures,
)
