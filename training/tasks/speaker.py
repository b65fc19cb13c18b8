"""Training who speaks: series of any length with one label each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from models.zoo.speaker import Speaker
from training import plots
from training.baselines import speaker as baselines
from training.datasets import japanese_vowels
from training.datasets.japanese_vowels import FILES, URL
from training.datasets.labelled_series import LabelledSeries
from training.datasets.summary import DataSummary
from training.errors import InputError
from training.outcomes import Outcome, mean_of
from training.run import TrainingRun
from training.tasks.task import Arrays, Part, Predict


@dataclass(frozen=True)
class SpeakerRun(TrainingRun):
    """A training of `speaker`."""

    epochs: int = 100
    patience: int = 100  # a validation part of 54 series is too small to stop by
    batch_size: int = 36
    label_smoothing: float = 0.0  # of the true label's share, given to all labels alike


RUN = SpeakerRun(model="speaker", network=Speaker())


def prepare(run: SpeakerRun, data: Path | None = None) -> "SpeakerTask":
    """Reads the Japanese vowels, or the user's own file or folder. Raises InputError where that cannot be used."""
    return SpeakerTask(run, japanese_vowels.locate() if data is None else data, shared=data is None)


class SpeakerTask:
    """Every training series is an example; the labels and channels are those of the training series."""

    def __init__(self, run: SpeakerRun, path: Path, shared: bool) -> None:
        self.run = run
        self.series = japanese_vowels.read(path)
        self.data = DataSummary(
            name=FILES[0].data_set if shared else path.stem,
            source=URL if shared else str(path.absolute()),
            sha256=self.series.digest,
            licence=FILES[0].licence if shared else "the user's own",
            table=self.series.table(),
            split=self.series.rule,
        )

    def inputs(self) -> Arrays:
        """The training series, padded: series [examples, time, channels] and lengths [examples]."""
        return requests(self.series.train)

    def targets(self) -> Arrays:
        """scores [examples, labels]: 1 at the label."""
        labels = np.array([each.label for each in self.series.train])
        return {"scores": (labels[:, None] == np.array(self.series.labels)).astype(np.float32)}

    def build(self) -> keras.Model:
        """The network for these channels and labels, scaled by the training series."""
        model = cast(Speaker, self.run.network).build(self.series.channels, self.series.labels)
        model.adapt(np.concatenate([each.values for each in self.series.train]))
        model({name: tf.constant(array) for name, array in requests(self.series.train[:1]).items()})
        return model

    def losses(self) -> tuple[Mapping[str, Any], Mapping[str, float]]:
        """Cross-entropy, in nats."""
        smoothed = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=self.run.label_smoothing)
        return {"scores": smoothed}, {"scores": 1.0}

    def evaluate(self, predict: Predict, part: Part) -> dict[str, float]:
        """Accuracy, and the cross-entropy in nats, of a part's series."""
        series: Sequence[LabelledSeries] = getattr(self.series, part)
        return baselines.scores(self.series.labels, series, self._scores(predict, series))

    def outcomes(self, predict: Predict, part: Part) -> dict[str, Outcome]:
        """Whether each series' label is found, and how surprising it is."""
        series: Sequence[LabelledSeries] = getattr(self.series, part)
        scores, true = self._scores(predict, series), [self.series.labels.index(each.label) for each in series]
        of_truth = np.maximum(scores[np.arange(len(series)), true], baselines.LEAST_PROBABILITY)
        found = np.argmax(scores, axis=1) == true
        return {"accuracy": mean_of(found), "cross_entropy": mean_of(-np.log(of_truth))}

    def score(self, figures: Mapping[str, float], part: Part) -> float:
        """The cross-entropy: the validation part is too small for its accuracy to tell two epochs apart."""
        return figures["cross_entropy"]

    def baselines(self) -> dict[str, dict[str, float]]:
        """The most frequent label and a logistic regression, on the test series."""
        return baselines.baselines(self.series)

    def pictures(self, predict: Predict, history: Mapping[str, list[float]]) -> dict[str, Figure]:
        """Learning curves, and which label is taken for which in the test series."""
        best = np.argmax(self._scores(predict, self.series.test), axis=1)
        said = [self.series.labels[position] for position in best]
        return {
            "learning_curves": plots.learning_curves(history, best_by="validation_cross_entropy"),
            "labels": plots.confusion_matrix([each.label for each in self.series.test], said),
        }

    def examples(self) -> dict[str, Arrays]:
        """The first test series, as arrays and as `tf.train.Example`."""
        first = self.series.test[:1]
        return {"serving_default": requests(first), "classify": {"inputs": np.array([example(first[0])], object)}}

    def _scores(self, predict: Predict, series: Sequence[LabelledSeries]) -> np.ndarray:
        """[series, labels], in the order of the data's labels."""
        answer = predict(requests(series))
        names = [name.decode() for name in answer["labels"][0]]
        if sorted(names) != sorted(self.series.labels):
            raise InputError(
                f"the model was trained on the labels {', '.join(names)}; {self.series.path} has "
                f"{', '.join(self.series.labels)}. Give data with the same labels, or train on these."
            )
        return np.asarray(answer["scores"], np.float64)[:, [names.index(label) for label in self.series.labels]]


def requests(series: Sequence[LabelledSeries]) -> dict[str, np.ndarray]:
    """The inputs of `serving_default` that ask for these series, padded at the right to the longest."""
    lengths = np.array([len(each.values) for each in series], np.int32)
    padded = np.zeros((len(series), lengths.max(), series[0].values.shape[1]), np.float32)
    for row, each in zip(padded, series, strict=True):
        row[: len(each.values)] = each.values
    return {"series": padded, "lengths": lengths}


def example(series: LabelledSeries) -> bytes:
    """A series as the `tf.train.Example` that `classify` takes: one time step after the other."""
    numbers = tf.train.Feature(float_list=tf.train.FloatList(value=series.values.reshape(-1).tolist()))
    features = tf.train.Features(feature={"series": numbers})
    serialized: bytes = tf.train.Example(features=features).SerializeToString()
    return serialized
