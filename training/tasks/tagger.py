"""Training what part of speech each word is: the sentences of a treebank with a tag for each word."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from models.zoo.tagger import Tagger
from training import labelling, plots
from training.baselines import words as baselines
from training.datasets import ud_english_ewt as ewt
from training.datasets.conllu import Sentence
from training.datasets.summary import DataSummary
from training.outcomes import Outcome, mean_of, rate_of
from training.run import TrainingRun
from training.tasks.padding import PADDING, padded
from training.tasks.task import Arrays, Part, Predict

COLUMNS = ("xpos", "feats", "deprel")  # learned beside the tags, and of no use afterwards


@dataclass(frozen=True)
class TaggerRun(TrainingRun):
    """A training of `tagger`."""

    epochs: int = 10
    patience: int = 10
    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    gradient_clip: float = 5.0
    average_decay: float = 0.995
    column_weight: float = 0.3  # of the cross-entropy of each other column beside that of the tags


RUN = TaggerRun(model="tagger", network=Tagger())


def prepare(run: TaggerRun, data: Path | None = None) -> "TaggerTask":
    """Reads UD English EWT, or the user's own treebank. Raises InputError where that cannot be used."""
    return TaggerTask(run, data)


class TaggerTask:
    """Vocabulary and labels are those of the training sentences."""

    def __init__(self, run: TaggerRun, own: Path | None) -> None:
        self.run = run
        given = ewt.locate() if own is None else ewt.found(own)
        self.treebank = ewt.read(given, given["train"][0].parent if own is None else own)
        self.data = DataSummary(
            name="ud-english-ewt" if own is None else own.stem,
            source=ewt.URL if own is None else str(own.absolute()),
            sha256=self.treebank.digest,
            licence=ewt.LICENCE if own is None else "the user's own",
            table=self.treebank.table(),
            split=self.treebank.rule,
        )
        train = self.treebank.train
        self.counts = Counter(word.lower() for sentence in train for word in sentence.words)
        self.labels = {
            name: sorted({label for sentence in train for label in getattr(sentence, name)})
            for name in ("tags", *COLUMNS)
        }

    def lengths(self) -> np.ndarray:
        """Words of each training sentence, [examples]."""
        return np.array([len(sentence.words) for sentence in self.treebank.train], np.int32)

    def steps(self) -> np.ndarray:
        """Words of each training sentence, over which the losses are the mean, [examples]."""
        return self.lengths()

    def inputs(self) -> Arrays:
        """tokens [examples, words] string and lengths [examples]."""
        return requests(self.treebank.train)

    def targets(self) -> Arrays:
        """tags and the other columns [examples, words], the position of each label, -1 past the length."""
        positions = {name: {label: n for n, label in enumerate(labels)} for name, labels in self.labels.items()}
        return {
            name: padded([[of[x] for x in getattr(s, name)] for s in self.treebank.train], PADDING, np.int32)
            for name, of in positions.items()
        }

    def build(self) -> keras.Model:
        """The network with the vocabulary and the labels of the training sentences."""
        model = self.run.network.build()
        model.adapt(self.counts, self.labels["tags"], {name: len(self.labels[name]) for name in COLUMNS})
        model.build()
        return model

    def losses(self) -> tuple[Mapping[str, Any], Mapping[str, float]]:
        """The mean cross-entropy of a word in each column."""
        weights = {"tags": 1.0, **dict.fromkeys(COLUMNS, self.run.column_weight)}
        return dict.fromkeys(self.labels, cross_entropy), weights

    def evaluate(self, predict: Predict, part: Part) -> dict[str, float]:
        """Share of words with the right tag: of all, of those that training has, of the others; of whole sentences."""
        return {name: outcome.figure() for name, outcome in self.outcomes(predict, part).items()}

    def outcomes(self, predict: Predict, part: Part) -> dict[str, Outcome]:
        """The words of each sentence, and how many of them have the right tag."""
        truth: list[Sentence] = getattr(self.treebank, part)
        return self.counted(truth, said(predict, truth))

    def counted(self, truth: Sequence[Sentence], tags: Sequence[Sequence[str]]) -> dict[str, Outcome]:
        """See `evaluate`; each from 0 to 1, and 0 where there is no such word."""
        right = [np.array(s.tags) == np.array(row) for s, row in zip(truth, tags, strict=True)]
        known = [np.array([word.lower() in self.counts for word in s.words]) for s in truth]
        which = {"upos": [here | ~here for here in known], "known_word": known, "new_word": [~here for here in known]}
        shares = {
            f"{name}_accuracy": rate_of(
                np.array([(hits & here).sum() for hits, here in zip(right, counted, strict=True)]),
                np.array([here.sum() for here in counted]),
            )
            for name, counted in which.items()
        }
        return {**shares, "sentence_accuracy": mean_of(np.array([hits.all() for hits in right]))}

    def score(self, figures: Mapping[str, float], part: Part) -> float:
        """The share of words with a wrong tag."""
        return 1 - figures["upos_accuracy"]

    def baselines(self) -> dict[str, dict[str, float]]:
        """Each word's most frequent tag; of a new word that which most words of the dictionary have."""
        train, test = [(s.words, s.tags) for s in self.treebank.train], self.treebank.test
        words = sorted(self.counts)
        (of_words,) = baselines.most_frequent(train, [words], unknown="")
        unknown = Counter(of_words).most_common(1)[0][0]
        tags = baselines.most_frequent(train, [s.words for s in test], unknown)
        return {"dictionary": {name: outcome.figure() for name, outcome in self.counted(test, tags).items()}}

    def pictures(self, predict: Predict, history: Mapping[str, list[float]]) -> dict[str, Figure]:
        """Learning curves, and which tags of the test part are taken for which."""
        truth = self.treebank.test
        rows = said(predict, truth)
        return {
            "learning_curves": plots.learning_curves(history, best_by="validation_error"),
            "tags": plots.confusion_matrix([t for s in truth for t in s.tags], [t for row in rows for t in row]),
        }

    def examples(self) -> dict[str, Arrays]:
        """The first sentence of the test part, as it is written and in words."""
        first = self.treebank.test[0]
        written = np.array([first.text or " ".join(first.words)], object)
        return {"serving_default": {"sentence": written}, "tokens": requests([first])}


def said(predict: Predict, sentences: Sequence[Sentence]) -> list[tuple[str, ...]]:
    """The tags of each sentence by the signature `tokens`."""

    def ask(rows: np.ndarray) -> list[tuple[str, ...]]:
        asked = [sentences[row] for row in rows]
        answer = predict(requests(asked))["tags"]
        return [labelling.words_of(tags, len(s.words)) for s, tags in zip(asked, answer, strict=True)]

    return labelling.by_length([len(s.words) for s in sentences], ask)


def requests(sentences: Sequence[Sentence]) -> dict[str, np.ndarray]:
    """The inputs of `tokens` that ask for these sentences."""
    tokens = padded([s.words for s in sentences], "", object)
    return {"tokens": tokens, "lengths": np.array([len(s.words) for s in sentences], np.int32)}


def cross_entropy(labels: Any, logits: Any) -> Any:
    """The mean over all words, in nats: labels [batch, time], -1 past the length; logits [batch, time, labels]."""
    positions = tf.cast(labels, tf.int32)
    real = positions != PADDING
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.where(real, positions, 0), logits)
    return tf.reduce_sum(tf.where(real, losses, 0)) / tf.reduce_sum(tf.cast(real, losses.dtype))
