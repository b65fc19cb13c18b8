"""Training how words are pronounced: spellings with the pronunciations that are listed for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from models.language import Characters
from models.language.characters import PADDING as NO_LETTER
from models.sequence_to_sequence import END
from models.zoo.g2p import G2P
from training import labelling, plots, pronouncing
from training.datasets import pronunciations
from training.datasets.pronunciations import FILE, Word
from training.datasets.summary import DataSummary
from training.outcomes import Outcome
from training.run import TrainingRun
from training.tasks.padding import PADDING, padded
from training.tasks.task import Arrays, Part, Predict

STEPS = (4, 6, 8, 10, 12, 16, 32)  # lengths that a batch is padded to: XLA compiles the loops once for each
SHOWN = 6  # words whose attention is drawn


@dataclass(frozen=True)
class G2PRun(TrainingRun):
    """A training of `g2p`."""

    epochs: int = 10
    patience: int = 10
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    gradient_clip: float = 5.0
    average_decay: float = 0.998
    label_smoothing: float = 0.05  # the share of probability that training wants spread over all phonemes


RUN = G2PRun(model="g2p", network=G2P())


def prepare(run: G2PRun, data: Path | None = None) -> "G2PTask":
    """Reads CMUdict, or the user's own pairs. Raises InputError where those cannot be used."""
    return G2PTask(run, pronunciations.locate() if data is None else data, shared=data is None)


class G2PTask:
    """Every letter and phoneme of the training words is known; each listed pronunciation is an example."""

    def __init__(self, run: G2PRun, path: Path, shared: bool) -> None:
        self.run = run
        self.words = pronunciations.read(path)
        self.data = DataSummary(
            name=FILE.data_set if shared else path.stem,
            source=FILE.url if shared else str(path.absolute()),
            sha256=self.words.digest,
            licence=FILE.licence if shared else "the user's own",
            table=self.words.table(),
            split=self.words.rule,
        )
        pairs = [(word.spelling, phonemes) for word in self.words.train for phonemes in word.pronunciations]
        lowered = tf.strings.lower([spelling for spelling, _ in pairs], encoding="utf-8").numpy()
        self.spellings = [spelling.decode() for spelling in lowered]  # as the network reads them
        self.sounds = [phonemes for _, phonemes in pairs]
        self.letters = Characters(character for spelling in self.spellings for character in spelling)
        self.phonemes = sorted({phoneme for phonemes in self.sounds for phoneme in phonemes})

    def lengths(self) -> np.ndarray:
        """Letters or phonemes with their end, whichever are more, of each training pair, rounded up to one of `STEPS`
        where it is not above them all, [examples]."""
        pairs = zip(self.spellings, self.sounds, strict=True)
        longest = [max(len(spelling), len(phonemes) + 1) for spelling, phonemes in pairs]
        return np.array([next((steps for steps in STEPS if steps >= each), each) for each in longest], np.int32)

    def inputs(self) -> Arrays:
        """source and previous [examples, steps], see `SequenceToSequence`."""
        source = padded([self.letters.tokens(spelling).tolist() for spelling in self.spellings], NO_LETTER, np.int32)
        return {"source": source, "previous": padded([[END, *row] for row in self._tokens()], END, np.int32)}

    def targets(self) -> Arrays:
        """target [examples, steps]: the phonemes and the end, -1 past it."""
        return {"target": padded([[*row, END] for row in self._tokens()], PADDING, np.int32)}

    def _tokens(self) -> list[list[int]]:
        number = {phoneme: place for place, phoneme in enumerate(self.phonemes, start=END + 1)}
        return [[number[phoneme] for phoneme in phonemes] for phonemes in self.sounds]

    def build(self) -> keras.Model:
        """The network over the letters and phonemes of the training words."""
        model = cast(G2P, self.run.network).build(self.letters.text, self.phonemes)
        model.build()
        return model

    def losses(self) -> tuple[Mapping[str, Any], Mapping[str, float]]:
        """Cross-entropy of each pronunciation in nats, with smoothed labels (Szegedy et al. 2016)."""
        smoothing = self.run.label_smoothing

        def of_words(target: Any, logits: Any) -> Any:
            tokens = tf.cast(target, tf.int32)
            real = tf.cast(tokens != PADDING, logits.dtype)
            likely = tf.nn.log_softmax(logits)
            right = tf.gather(likely, tf.maximum(tokens, 0), batch_dims=2)
            nats = -(1 - smoothing) * right - smoothing * tf.reduce_mean(likely, axis=-1)
            return tf.reduce_sum(nats * real, axis=1)

        return {"target": of_words}, {"target": 1.0}

    def validate(self, align: Predict) -> dict[str, float]:
        """The figures of the validation part by the phonemes that are the likeliest one by one: a fifth of the work."""
        words = self.words.validation

        def ask(rows: np.ndarray) -> list[tuple[str, ...]]:
            said = align(requests([words[row] for row in rows]))["phonemes"]
            return [tuple(phoneme.decode() for phoneme in row if phoneme) for row in said]

        found = outcomes_of(words, labelling.by_length([len(word.spelling) for word in words], ask))
        return {name: outcome.figure() for name, outcome in found.items()}

    def evaluate(self, predict: Predict, part: Part) -> dict[str, float]:
        """Word and phoneme error rate of the best pronunciation, 0 to 1."""
        return {name: outcome.figure() for name, outcome in self.outcomes(predict, part).items()}

    def outcomes(self, predict: Predict, part: Part) -> dict[str, Outcome]:
        """Whether each word is wrong, and the edits to its nearest listed pronunciation."""
        words: list[Word] = getattr(self.words, part)

        def ask(rows: np.ndarray) -> list[tuple[str, ...]]:
            said = predict(requests([words[row] for row in rows]))["phonemes"]
            return [tuple(best.decode().split()) for best, *_ in said]

        return outcomes_of(words, labelling.by_length([len(word.spelling) for word in words], ask))

    def score(self, figures: Mapping[str, float], part: Part) -> float:
        """The word error rate."""
        return figures["word_error_rate"]

    def baselines(self) -> dict[str, dict[str, float]]:
        """None yet."""
        return {}

    def pictures(self, predict: Predict, history: Mapping[str, list[float]]) -> dict[str, Figure]:
        """Learning curves."""
        return {"learning_curves": plots.learning_curves(history, best_by="validation_word_error_rate")}

    def attention_maps(self, align: Predict) -> dict[str, Figure]:
        """Where attention went in the longest words of the test part that are pronounced at all."""
        said = align(requests(sorted(self.words.test, key=lambda word: -len(word.spelling))[: 4 * SHOWN]))
        maps = [each for row in range(len(said["phonemes"])) if (each := of_word(said, row))[1]][:SHOWN]
        return {"attention": plots.attention_maps(maps)} if maps else {}

    def examples(self) -> dict[str, Arrays]:
        """The first word of the test part."""
        return {name: requests(self.words.test[:1]) for name in ("serving_default", "align")}


def requests(words: Sequence[Word]) -> dict[str, np.ndarray]:
    """The inputs of the signatures that ask for these words."""
    return {"word": np.array([word.spelling for word in words], object)}


def of_word(said: Arrays, row: int) -> tuple[list[str], list[str], np.ndarray]:
    """The letters, the phonemes and the attention [phonemes, letters] of a row of what `align` says."""
    letters, phonemes = ([each.decode() for each in said[name][row] if each] for name in ("letters", "phonemes"))
    return letters, phonemes, said["attention"][row, : len(phonemes), : len(letters)]


def outcomes_of(words: Sequence[Word], said: Sequence[Sequence[str]]) -> dict[str, Outcome]:
    """See `pronouncing.outcomes`."""
    return pronouncing.outcomes([word.pronunciations for word in words], said)
