"""Who speaks: one label for a series of any length, by a recurrence that reads it in both directions.

    scores = softmax( W mean_t ( h_t ; g_t ) ),   h_t = GRU( x_t, h_(t-1) ),   g_t = GRU( x_t, g_(t+1) )

Slide S12, many to one; GRU: Cho et al. 2014; in both directions: Schuster & Paliwal 1997. The mean over the time steps
hears all of a short utterance, not its end alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.layers.named import recurrence
from models.zoo.entry import Entry

Tensor = Any

CHANNELS = 12  # LPC cepstrum coefficients of the Japanese vowels
LABELS = tuple("123456789")  # their speakers


@dataclass(frozen=True)
class Speaker:
    """A GRU in each direction, noise on the scaled inputs, dropout on recurrent states and before the readout."""

    cell: str = "gru"  # or vanilla, lstm
    units: int = 64  # in each direction
    input_noise: float = 0.3  # standard deviation, in units of each channel's spread
    recurrent_dropout: float = 0.0
    output_dropout: float = 0.5

    def build(self, channels: int = CHANNELS, labels: Sequence[str] = LABELS) -> keras.Model:
        """The network, untrained; call `adapt` with the training series before the first use."""
        return SpeakerClassifier(channels=channels, labels=tuple(labels), **asdict(self))


@keras.saving.register_keras_serializable(package="seqzoo")
class SpeakerClassifier(keras.Model):
    """Maps a dict of series [batch, time, channels] and lengths [batch] to the scores of each label before softmax."""

    def __init__(
        self,
        channels: int,
        labels: Sequence[str],
        units: int,
        input_noise: float,
        recurrent_dropout: float,
        output_dropout: float,
        cell: str = "gru",
    ) -> None:
        super().__init__(name="speaker")
        self.network = {
            "channels": channels,
            "labels": tuple(labels),
            "cell": cell,
            "units": units,
            "input_noise": input_noise,
            "recurrent_dropout": recurrent_dropout,
            "output_dropout": output_dropout,
        }
        self.channels, self.labels = channels, tuple(labels)
        self.scale = keras.layers.Normalization(name="scale")
        self.scale.build((None, channels))
        self.noise = keras.layers.GaussianNoise(input_noise)
        options: dict[str, Any] = {"return_sequences": True, "recurrent_dropout": recurrent_dropout}
        self.forwards = recurrence(cell)(units, name="forwards", **options)
        self.backwards = recurrence(cell)(units, name="backwards", go_backwards=True, **options)
        self.output_dropout = keras.layers.Dropout(output_dropout)
        self.readout = keras.layers.Dense(len(self.labels), name="readout")

    def adapt(self, steps: np.ndarray) -> None:
        """Takes mean and variance of each channel from the time steps of the training series, [steps, channels]."""
        self.scale.adapt(steps)

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        """{"scores": [batch, labels]}; what lies past the lengths changes nothing."""
        series, lengths = inputs["series"], inputs["lengths"]
        mask = tf.sequence_mask(lengths, tf.shape(series)[1])
        heard = self.noise(self.scale(series), training=training)
        hidden = [self.forwards(heard, mask=mask, training=training)]
        hidden.append(tf.reverse(self.backwards(heard, mask=mask, training=training), [1]))
        shown = tf.cast(mask, tf.float32)[..., None]
        read = tf.cast(tf.concat(hidden, axis=-1), tf.float32)
        mean = tf.reduce_sum(read * shown, axis=1) / tf.reduce_sum(shown, axis=1)
        return {"scores": self.readout(self.output_dropout(mean, training=training))}

    def get_config(self) -> dict[str, Any]:
        """The fields of `Speaker`, the number of channels and the labels."""
        return self.network


def signatures(model: SpeakerClassifier) -> Mapping[str, Any]:
    """serving_default: series to their label, with the score of each. classify: the same over `tf.train.Example`."""
    series = tf.TensorSpec([None, None, model.channels], tf.float32, "series")
    lengths = tf.TensorSpec([None], tf.int32, "lengths")
    labels = tf.constant(model.labels)

    def scores_of(series: Tensor, lengths: Tensor) -> Tensor:
        most = tf.shape(series)[1]
        text = tf.strings.format("lengths got {}; each must be from 1 to the number of time steps, {}", (lengths, most))
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all((lengths > 0) & (lengths <= most)), [text])]):
            return tf.nn.softmax(model({"series": tf.identity(series), "lengths": lengths})["scores"])

    def all_labels(scores: Tensor) -> Tensor:
        return tf.tile(labels[None], [tf.shape(scores)[0], 1])

    @tf.function(input_signature=[series, lengths], autograph=False)
    def serving_default(series: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        scores = scores_of(series, lengths)
        best = tf.argmax(scores, axis=-1)
        return {
            "label": tf.gather(labels, best),
            "score": tf.reduce_max(scores, axis=-1),
            "labels": all_labels(scores),
            "scores": scores,
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")], autograph=False)
    def classify(inputs: Tensor) -> dict[str, Tensor]:
        parsed = tf.io.parse_example(inputs, {"series": tf.io.RaggedFeature(tf.float32)})["series"]
        numbers = tf.cast(parsed.row_lengths(), tf.int32)
        text = tf.strings.format(
            f"series got {{}} numbers; each example must have {model.channels} for each time step, one time step after "
            "the other, of 1 time step or more",
            (numbers,),
        )
        whole = tf.reduce_all((numbers > 0) & (numbers % model.channels == 0))
        with tf.control_dependencies([tf.debugging.Assert(whole, [text])]):
            flat = parsed.to_tensor()
        scores = scores_of(tf.reshape(flat, [tf.shape(flat)[0], -1, model.channels]), numbers // model.channels)
        return {"classes": all_labels(scores), "scores": scores}

    return {"serving_default": serving_default, "classify": classify}


ENTRY = Entry(
    "speaker",
    Speaker,
    task="classification",
    data="japanese-vowels",
    metric="validation_cross_entropy",
    summary="which of nine speakers says a vowel, from a short series of any length",
    signatures=signatures,
)
