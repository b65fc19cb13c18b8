"""What a spoken request wants and what it names: one intent for the utterance, one slot tag for each word.

    h_t = BiLSTM( word vector_t )    intent = softmax( W (mean h ; max h) )    tags = CRF( V h_t )

The two forms of slide S12 to one label and to a label at each step, over the LSTM of slides S10 and S11. Joint models:
Liu & Lane 2016; BiLSTM-CRF: Lample et al. 2016. Tags are BIO: B-x begins a slot of the kind x, I-x goes on, O is none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import tensorflow as tf

from models.layers.crf import CRF
from models.layers.named import recurrence
from models.zoo.entry import Entry
from models.zoo.word_reader import WordReader

Tensor = Any

PUNCTUATION = r"""[.,?!;'"()]"""  # the data have a space in its place
OUTSIDE = "O"


@dataclass(frozen=True)
class IntentSlots:
    """Words and their spelling, a bidirectional LSTM, an intent from all of it, and a chain of slot tags."""

    word_units: int = 128
    byte_units: int = 32
    spelling_units: int = 50
    cell: str = "lstm"  # or vanilla, gru
    units: int = 200  # in each direction
    word_dropout: float = 0.5  # of a word seen once a third
    input_dropout: float = 0.4
    output_dropout: float = 0.5

    def build(self) -> keras.Model:
        """The network without a vocabulary; call `adapt` before the first use."""
        return UtteranceLabeller(**asdict(self))


@keras.saving.register_keras_serializable(package="seqzoo")
class UtteranceLabeller(keras.Model):
    """Maps tokens [batch, time] string, padded at the right, with lengths [batch] int32, to scores of its labels."""

    def __init__(self, **network: Any) -> None:
        super().__init__(name="intent-slots")
        self.network = network
        self.input_dropout = keras.layers.Dropout(network["input_dropout"])
        self.output_dropout = keras.layers.Dropout(network["output_dropout"])
        memory = recurrence(network.get("cell", "lstm"))(network["units"], return_sequences=True)
        self.memory = keras.layers.Bidirectional(memory, name="memory")

    def adapt(self, counts: Mapping[str, int], tags: Sequence[str], intents: Sequence[str]) -> None:
        """Takes over the words of training with their counts, and the labels that there are."""
        reader = ("word_units", "byte_units", "spelling_units", "word_dropout")
        self.reader = WordReader(counts, **{name: self.network[name] for name in reader}, name="reader")
        self.tag_names, self.intent_names = list(tags), list(intents)
        self.tag_scores = keras.layers.Dense(len(tags), name="tag_scores")
        self.chain = CRF(len(tags), malformed(tags), name="chain")
        self.intent_scores = keras.layers.Dense(len(intents), name="intent_scores")

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights."""
        self.reader.build()
        self.memory.build((None, None, self.reader.units))
        self.tag_scores.build((None, None, 2 * self.network["units"]))
        self.chain.build()
        self.intent_scores.build((None, 4 * self.network["units"]))
        self.built = True

    @property
    def tables(self) -> list[Any]:
        """The look-up tables that its signatures use."""
        return [self.reader.table]

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        """tags: scores for the chain [batch, time, tags]. intent: logits [batch, intents]."""
        tokens, lengths = tf.strings.lower(inputs["tokens"], encoding="utf-8"), inputs["lengths"]
        mask = tf.sequence_mask(lengths, tf.shape(tokens)[1])
        words = self.input_dropout(self.reader(tokens, training=training), training=training)
        hidden = self.output_dropout(self.memory(words, mask=mask, training=training), training=training)
        pooled = tf.concat([_mean(hidden, mask), _most(hidden, mask)], axis=-1)
        # a copy has no mask of Keras's: the loss of whole sequences has its own way with padding
        return {"tags": tf.identity(self.tag_scores(hidden)), "intent": self.intent_scores(pooled)}

    def get_config(self) -> dict[str, Any]:
        """The fields of `IntentSlots`."""
        return self.network


def malformed(tags: Sequence[str]) -> list[tuple[int | None, int]]:
    """Pairs (before, after) of tags that BIO does not have: I-x is allowed after B-x and I-x only."""
    inside = [(position, tag[2:]) for position, tag in enumerate(tags) if tag.startswith("I-")]
    pairs = [(before, after) for after, kind in inside for before, tag in enumerate(tags) if tag[2:] != kind]
    return [*pairs, *((None, after) for after, _ in inside)]


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    count = tf.reduce_sum(tf.cast(mask, hidden.dtype), axis=1, keepdims=True)
    return tf.reduce_sum(tf.where(mask[..., None], hidden, 0), axis=1) / tf.maximum(count, 1)


def _most(hidden: Tensor, mask: Tensor) -> Tensor:
    most = tf.reduce_max(tf.where(mask[..., None], hidden, hidden.dtype.min), axis=1)
    return tf.where(tf.reduce_any(mask, axis=1, keepdims=True), most, 0)


def signatures(model: UtteranceLabeller) -> Mapping[str, Any]:
    """serving_default: utterances to their tokens, a slot tag for each, and an intent, with probabilities."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "utterance")], autograph=False)
    def serving_default(utterance: Tensor) -> dict[str, Tensor]:
        words = tf.strings.split(tf.strings.regex_replace(utterance, PUNCTUATION, " "))
        lengths = tf.cast(words.row_lengths(), tf.int32)
        longest = tf.maximum(tf.reduce_max(lengths), 0)  # of no utterances at all, 0
        tokens = words.to_tensor("")
        tokens = tf.pad(tokens, [[0, 0], [0, tf.maximum(1 - longest, 0)]], constant_values="")  # the chain wants a step
        said = model({"tokens": tokens, "lengths": lengths})
        best = model.chain(said["tags"], lengths)
        likely = tf.gather(model.chain.marginals(said["tags"], lengths), best, batch_dims=2)
        real = tf.sequence_mask(lengths, longest)
        intents = tf.nn.softmax(said["intent"])
        return {
            "tokens": tokens[:, :longest],
            "tags": tf.where(real, tf.gather(tf.constant(model.tag_names), best[:, :longest]), ""),
            "tag_scores": likely[:, :longest],
            "intent": tf.gather(tf.constant(model.intent_names), tf.argmax(intents, axis=-1)),
            "intent_score": tf.reduce_max(intents, axis=-1),
        }

    return {"serving_default": serving_default}


ENTRY = Entry(
    "intent-slots",
    IntentSlots,
    task="tagging",
    data="snips",
    metric="validation_error",
    summary="what a request to an assistant wants, and which of its words name what",
    signatures=signatures,
)
