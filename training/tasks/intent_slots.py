"""Training what an utterance wants and names: utterances with a BIO tag for each word and one intent."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from models.zoo.intent_slots import IntentSlots
from training import labelling, plots
from training.baselines import words as baselines
from training.datasets import snips
from training.datasets.snips import FILES, Utterance
from training.datasets.summary import DataSummary
from training.outcomes import Outcome, mean_of
from training.run import TrainingRun
from training.tasks.padding import PADDING, padded
from training.tasks.task import Arrays, Part, Predict


@dataclass(frozen=True)
class IntentSlotsRun(TrainingRun):
    """A training of `intent-slots`."""

    epochs: int = 20
    patience: int = 20
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    gradient_clip: float = 5.0
    average_decay: float = 0.999
    intent_weight: float = 1.0  # of the intent's cross-entropy beside the tags' negative log-likelihood, both in nats


RUN = IntentSlotsRun(model="intent-slots", network=IntentSlots())


def prepare(run: IntentSlotsRun, data: Path | None = None) -> "IntentSlotsTask":
    """Reads the SNIPS data, or the user's own folder or CSV file. Raises InputError where that cannot be used."""
    return IntentSlotsTask(run, snips.locate() if data is None else data, shared=data is None)


class IntentSlotsTask:
    """Every word of the training utterances is in the vocabulary; labels are those of the training utterances."""

    def __init__(self, run: IntentSlotsRun, path: Path, shared: bool) -> None:
        self.run = run
        self.utterances = snips.read(path)
        self.data = DataSummary(
            name="snips" if shared else path.stem,
            source=snips.URL if shared else str(path.absolute()),
            sha256=self.utterances.digest,
            licence=FILES[0].licence if shared else "the user's own",
            table=self.utterances.table(),
            split=self.utterances.rule,
        )
        train = self.utterances.train
        self.counts = Counter(word.lower() for utterance in train for word in utterance.words)
        self.tags = sorted({tag for utterance in train for tag in utterance.tags}, key=lambda tag: (tag != "O", tag))
        self.intents = sorted({utterance.intent for utterance in train})

    def lengths(self) -> np.ndarray:
        """Words of each training utterance, [examples]."""
        return np.array([len(utterance.words) for utterance in self.utterances.train], np.int32)

    def inputs(self) -> Arrays:
        """tokens [examples, words] string and lengths [examples]."""
        tokens = padded([utterance.words for utterance in self.utterances.train], "", object)
        return {"tokens": tokens, "lengths": self.lengths()}

    def targets(self) -> Arrays:
        """tags [examples, words], the position of each tag, -1 past the length; intent [examples]."""
        tag, intent = ({label: n for n, label in enumerate(labels)} for labels in (self.tags, self.intents))
        tags = padded([[tag[t] for t in utterance.tags] for utterance in self.utterances.train], PADDING, np.int32)
        return {"tags": tags, "intent": np.array([intent[u.intent] for u in self.utterances.train], np.int32)}

    def build(self) -> keras.Model:
        """The network with the vocabulary and the labels of the training utterances."""
        model = self.run.network.build()
        model.adapt(self.counts, self.tags, self.intents)
        model.build()
        self.chain = model.chain
        return model

    def losses(self) -> tuple[Mapping[str, Any], Mapping[str, float]]:
        """The tags' negative log-likelihood under the chain, and the intent's cross-entropy."""

        of_network = self.chain  # of the network that was built last

        def chain(tags: Any, scores: Any) -> Any:
            positions = tf.cast(tags, tf.int32)
            lengths = tf.reduce_sum(tf.cast(positions != PADDING, tf.int32), axis=1)
            return of_network.negative_log_likelihood(scores, positions, lengths)

        intent = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return {"tags": chain, "intent": intent}, {"tags": 1.0, "intent": self.run.intent_weight}

    def evaluate(self, predict: Predict, part: Part) -> dict[str, float]:
        """Slot F1, share of intents that are right, and of utterances with all tags and the intent right."""
        truth = self._part(part)
        return scores(truth, self._said(predict, truth))

    def outcomes(self, predict: Predict, part: Part) -> dict[str, Outcome]:
        """The slots of each utterance, and whether its intent, and all of it, is right."""
        truth = self._part(part)
        said = self._said(predict, truth)
        intents = np.array([u.intent == intent for u, (_, intent) in zip(truth, said, strict=True)])
        tags = np.array([list(u.tags) == list(found) for u, (found, _) in zip(truth, said, strict=True)])
        return {
            "slot_f1": labelling.slot_f1_outcome([u.tags for u in truth], [found for found, _ in said]),
            "intent_accuracy": mean_of(intents),
            "sentence_accuracy": mean_of(intents & tags),
        }

    def score(self, figures: Mapping[str, float], part: Part) -> float:
        """The mean share that is wrong: of slots, of intents and of whole utterances."""
        return 1 - float(np.mean([figures[name] for name in ("slot_f1", "intent_accuracy", "sentence_accuracy")]))

    def baselines(self) -> dict[str, dict[str, float]]:
        """Each word's most frequent tag, and the intent that naive Bayes finds in the words."""
        train, test = self.utterances.train, self.utterances.test
        tags = baselines.most_frequent([(u.words, u.tags) for u in train], [u.words for u in test], unknown="O")
        intents = baselines.naive_bayes([(u.words, u.intent) for u in train], [u.words for u in test])
        return {"word_by_word": scores(test, list(zip(tags, intents, strict=True)))}

    def pictures(self, predict: Predict, history: Mapping[str, list[float]]) -> dict[str, Figure]:
        """Learning curves, and which intents and which tags of the test part are taken for which."""
        truth = self.utterances.test
        said = self._said(predict, truth)
        truth_rows, said_rows = [u.tags for u in truth], [tags for tags, _ in said]
        true_tags, said_tags = ([t for tags in rows for t in tags] for rows in (truth_rows, said_rows))
        return {
            "learning_curves": plots.learning_curves(history, best_by="validation_error"),
            "intents": plots.confusion_matrix([u.intent for u in truth], [intent for _, intent in said]),
            "tags": plots.confusion_matrix(true_tags, said_tags),
        }

    def examples(self) -> dict[str, Arrays]:
        """The first utterance of the test part."""
        return {"serving_default": requests(self.utterances.test[:1])}

    def _part(self, part: Part) -> list[Utterance]:
        utterances: list[Utterance] = getattr(self.utterances, part)
        return utterances

    def _said(self, predict: Predict, utterances: Sequence[Utterance]) -> list[tuple[tuple[str, ...], str]]:
        """The tags and the intent of each utterance."""

        def ask(rows: np.ndarray) -> list[tuple[str, ...]]:
            asked = [utterances[row] for row in rows]
            answer = predict(requests(asked))
            together = zip(asked, answer["tags"], answer["intent"], strict=True)
            return [(*labelling.words_of(tags, len(u.words)), intent.decode()) for u, tags, intent in together]

        labels = labelling.by_length([len(u.words) for u in utterances], ask)
        return [(tags, intent) for *tags, intent in labels]  # type: ignore[misc]


def requests(utterances: Sequence[Utterance]) -> dict[str, np.ndarray]:
    """The inputs of `serving_default` that ask for these utterances."""
    return {"utterance": np.array([" ".join(utterance.words) for utterance in utterances], object)}


def scores(truth: Sequence[Utterance], said: Sequence[tuple[Sequence[str], str]]) -> dict[str, float]:
    """Slot F1 and shares of right intents and wholly right utterances, each from 0 to 1."""
    tags, intents = [list(tags) for tags, _ in said], [intent for _, intent in said]
    right = [(list(u.tags), u.intent) for u in truth]
    return {
        "slot_f1": labelling.slot_f1([u.tags for u in truth], tags),
        "intent_accuracy": labelling.accuracy([u.intent for u in truth], intents),
        "sentence_accuracy": labelling.accuracy(right, list(zip(tags, intents, strict=True))),
    }
