"""What part of speech each word of a sentence is: words and their spelling, read in both directions.

    h_t = BiLSTM( BiLSTM( word vector_t ; spelling_t ) )    tag_t = softmax( W h_t )

The form of slide S12 with a label at each step, over the LSTM of slides S10 and S11. Words and characters in a
bidirectional LSTM: Ling et al. 2015, Plank et al. 2016. In training the same outputs learn other columns of the
treebank too, which teaches them what the tags alone do not say: Straka 2018.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import tensorflow as tf

from models.layers.named import recurrence
from models.zoo.entry import Entry
from models.zoo.word_reader import WordReader
from models.zoo.word_splitter import split_words

Tensor = Any


@dataclass(frozen=True)
class Tagger:
    """Words and their spelling, two bidirectional LSTMs, the scores of the tags at each word."""

    word_units: int = 100
    least_count: int = 2  # a word that training has less often has no vector of its own
    byte_units: int = 32
    spelling_units: int = 64
    longest_word_bytes: int = 20
    cell: str = "lstm"  # or vanilla, gru
    units: int = 160  # in each direction
    layers: int = 2
    word_dropout: float = 0.5  # of a word seen twice a fifth
    input_dropout: float = 0.4
    output_dropout: float = 0.5

    def build(self) -> keras.Model:
        """The network without a vocabulary; call `adapt` before the first use."""
        return SentenceTagger(**asdict(self))


@keras.saving.register_keras_serializable(package="seqzoo")
class SentenceTagger(keras.Model):
    """Maps tokens [batch, time] string, padded at the right, with lengths [batch] int32, to scores of its tags."""

    def __init__(self, **network: Any) -> None:
        super().__init__(name="tagger")
        self.network = network
        self.input_dropout = keras.layers.Dropout(network["input_dropout"])
        self.output_dropout = keras.layers.Dropout(network["output_dropout"])
        memory = recurrence(network["cell"])
        self.memories = [
            keras.layers.Bidirectional(memory(network["units"], return_sequences=True), name=f"memory_{number}")
            for number in range(1, network["layers"] + 1)
        ]

    def adapt(self, counts: Mapping[str, int], tags: Sequence[str], columns: Mapping[str, int]) -> None:
        """Takes over the words of training with their counts, the tags, and the other columns that are learned.

        columns: by name, how many labels each has."""
        options = ("word_units", "byte_units", "spelling_units", "word_dropout", "longest_word_bytes")
        known = {word: count for word, count in counts.items() if count >= self.network["least_count"]}
        self.reader = WordReader(known, **{name: self.network[name] for name in options}, name="reader")
        self.tag_names = list(tags)
        sizes = {"tags": len(tags), **columns}
        self.scores = {name: keras.layers.Dense(size, name=f"{name}_scores") for name, size in sizes.items()}

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights."""
        self.reader.build()
        width = self.reader.units
        for memory in self.memories:
            memory.build((None, None, width))
            width = 2 * self.network["units"]
        for scores in self.scores.values():
            scores.build((None, None, width))
        self.built = True

    @property
    def tables(self) -> list[Any]:
        """The look-up tables that its signatures use."""
        return [self.reader.table]

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        """tags: logits [batch, time, tags]; likewise each of the other columns."""
        tokens, lengths = inputs["tokens"], inputs["lengths"]
        mask = tf.sequence_mask(lengths, tf.shape(tokens)[1])
        hidden = self.input_dropout(self.reader(tokens, training=training), training=training)
        for memory in self.memories:
            hidden = self.output_dropout(memory(hidden, mask=mask, training=training), training=training)
        # a copy has no mask of Keras's: the loss of whole sequences has its own way with padding
        return {name: tf.identity(scores(hidden)) for name, scores in self.scores.items()}

    def get_config(self) -> dict[str, Any]:
        """The fields of `Tagger`."""
        return self.network


def signatures(model: SentenceTagger) -> Mapping[str, Any]:
    """serving_default: sentences to their tokens and a tag for each. tokens: the same for words that are split already.

    Each tag comes with its probability."""

    def tagged(tokens: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        longest = tf.shape(tokens)[1]
        steps = tf.pad(tokens, [[0, 0], [0, tf.maximum(1 - longest, 0)]], constant_values="")  # one step at least
        scores = tf.nn.softmax(model({"tokens": steps, "lengths": lengths})["tags"])[:, :longest]
        real = tf.sequence_mask(lengths, longest)
        return {
            "tags": tf.where(real, tf.gather(tf.constant(model.tag_names), tf.argmax(scores, axis=-1)), ""),
            "tag_scores": tf.where(real, tf.reduce_max(scores, axis=-1), 0.0),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentence")], autograph=False)
    def serving_default(sentence: Tensor) -> dict[str, Tensor]:
        words = split_words(sentence)
        tokens = words.to_tensor("")
        return {"tokens": tokens, **tagged(tokens, tf.cast(words.row_lengths(), tf.int32))}

    texts = tf.TensorSpec([None, None], tf.string, "tokens")

    @tf.function(input_signature=[texts, tf.TensorSpec([None], tf.int32, "lengths")], autograph=False)
    def tokens(tokens: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        most = tf.shape(tokens)[1]
        text = tf.strings.format("lengths got {}; each must be from 0 to the number of tokens, {}", (lengths, most))
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all((lengths >= 0) & (lengths <= most)), [text])]):
            return tagged(tf.identity(tokens), lengths)

    return {"serving_default": serving_default, "tokens": tokens}


ENTRY = Entry(
    "tagger",
    Tagger,
    task="tagging",
    data="ud-english-ewt",
    metric="validation_error",
    summary="what part of speech each word of an English sentence is",
    signatures=signatures,
    evaluated="tokens",
)
