"""Training text word by word: one long text, the state carried over, perplexity of a word, without and with a cache."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
from matplotlib.figure import Figure

from models.language import Words
from models.language.signatures import state_names
from models.language.vocabulary import END_OF_LINE
from models.zoo.word_lm import WordLM, WordModel
from training import next_token, plots
from training.baselines.ngram import nats_per_token
from training.carried import CarriedText, chunks_of
from training.datasets import wikitext2
from training.datasets.summary import DataSummary
from training.fitting import optimizer
from training.neural_cache import NeuralCache, chosen
from training.one_pass import OnePassAdamW
from training.outcomes import Outcome
from training.run import TrainingRun
from training.tasks.padding import padded
from training.tasks.task import Arrays, Part, Predict
from training.walk import Walk

STRETCHES = 10  # of a part that is evaluated: read side by side, each from zeros, the state carried through it
VALIDATED = 4  # one in so many stretches of the validation part is read after an epoch
CHUNK = 32  # words of a stretch in one request
CHOOSING = 2000  # words of each stretch of the validation part that choose the cache
COUNTED = 200  # words whose nats are one term of the interval


@dataclass(frozen=True)
class WordLMRun(TrainingRun):
    """A training of `word-lm`."""

    unroll_steps: int = 48  # words that a gradient goes back; the state goes on
    reset_rate: float = 0.01  # share of rows whose state is set to zeros before a chunk
    average_decay: float = 0.998
    sampled_words: int = 2048  # of the softmax that is trained on; 0: all
    cache_window: int = 2000
    cache_theta: float = 0.3  # after an epoch; for the test the validation part chooses both
    cache_weight: float = 0.15


RUN = WordLMRun(
    model="word-lm",
    network=WordLM(),
    epochs=28,
    patience=5,
    batch_size=40,
    learning_rate=3e-3,
    weight_decay=1e-2,
)


def prepare(run: WordLMRun, data: Path | None = None) -> "WordLMTask":
    """Reads WikiText-2, or the user's own text. Raises InputError where that cannot be used."""
    return WordLMTask(run, data)


class WordLMTask:
    """The text in order: its words one after the other, each predicted from all before it."""

    def __init__(self, run: WordLMRun, own: Path | None) -> None:
        self.run = run
        self.text = wikitext2.read(wikitext2.locate() if own is None else wikitext2.found(own))
        self.data = DataSummary(
            name="wikitext-2" if own is None else own.stem,
            source=wikitext2.URL if own is None else str(own.absolute()),
            sha256=self.text.digest,
            licence=wikitext2.LICENCE if own is None else "the user's own",
            table=self.text.table(),
            split=self.text.rule,
        )
        chunks_of(len(self.text.train), run.batch_size, run.unroll_steps)

    @cached_property
    def words(self) -> Words:
        """The words that are known."""
        return Words(self.text.vocabulary())

    def inputs(self) -> Arrays:
        """The words of the training part; `walk` goes through them."""
        return {"text": np.array(self.text.train, object)}

    def targets(self) -> Arrays:
        """The word after each."""
        return {"text": np.roll(self.inputs()["text"], -1)}

    def losses(self) -> tuple[Mapping[str, Any], Mapping[str, float]]:
        """Those of the walk: cross-entropy of the next word."""
        return {}, {}

    def build(self) -> keras.Model:
        """The network over the words of the training part."""
        return cast(WordLM, self.run.network).build(self.words.listed)

    def walk(self, model: WordModel) -> Walk:
        """Truncated back-propagation with the state carried over, the softmax sampled."""
        run, tokens = self.run, model.words.tokens(self.text.train)
        examples = chunks_of(len(tokens), run.batch_size, run.unroll_steps) * run.batch_size
        model.optimizer = optimizer(run, examples, OnePassAdamW)
        loss = next_token.sampled(model, run.sampled_words, run.seed)
        compiled = run.jit_compile == "yes"
        return CarriedText(model, tokens, run.batch_size, run.unroll_steps, run.reset_rate, run.seed, loss, compiled)

    def evaluate(self, predict: Predict, part: Part) -> dict[str, float]:
        """Perplexity of a word, the ends of lines counted, by the model alone and with the cache.

        The test is read in `STRETCHES` stretches. Of the validation part, cut into `VALIDATED` times as many, every
        `VALIDATED`-th is read: it is read after each epoch."""
        return {name: outcome.figure() for name, outcome in self.outcomes(predict, part).items()}

    def outcomes(self, predict: Predict, part: Part) -> dict[str, Outcome]:
        """The nats of every `COUNTED` words."""
        every = VALIDATED if part == "validation" else 1
        tokens = self.words.tokens(getattr(self.text, part))
        rows = np.array_split(tokens, STRETCHES * every)[::every]
        cache = self._cache(predict, part)
        nats, cached = [], []
        for row, said, hidden in zip(rows, *self._read(rows, predict), strict=True):
            nats.append(said[: len(row)])
            cached.append(cache.nats(said[: len(row)], hidden[: len(row)], row))
        return {"perplexity": _perplexity(nats), "cache_perplexity": _perplexity(cached)}

    def _cache(self, predict: Predict, part: Part) -> NeuralCache:
        """That of the run, or for the test the one that says most of the validation part."""
        run = self.run
        if part == "validation":
            return NeuralCache(run.cache_window, run.cache_theta, run.cache_weight)
        rows = [row[:CHOOSING] for row in np.array_split(self.words.tokens(self.text.validation), STRETCHES)]
        read = zip(*self._read(rows, predict), rows, strict=True)
        return chosen(run.cache_window, [(nats[: len(row)], hidden[: len(row)], row) for nats, hidden, row in read])

    def _read(self, rows: Sequence[np.ndarray], predict: Predict) -> tuple[np.ndarray, np.ndarray]:
        """nats [stretches, time] of each word of the stretches after those before it, and what the top layer shows."""
        following = padded([row.tolist() for row in rows], 0, np.int32)
        tokens = np.insert(following[:, :-1], 0, self.words.line_break, axis=1)
        names = state_names(cast(WordLM, self.run.network).layers)
        states = self._start(len(rows))
        nats, hidden = [], []
        for begin in range(0, tokens.shape[1], CHUNK):
            chunk = {"tokens": tokens[:, begin : begin + CHUNK], "following": following[:, begin : begin + CHUNK]}
            answer = predict({**chunk, **states})
            states = {name: np.asarray(answer[name], np.float32) for name in names}
            nats.append(answer["nats"])
            hidden.append(np.asarray(answer["hidden"], np.float32))
        return np.concatenate(nats, axis=1), np.concatenate(hidden, axis=1)

    def _start(self, rows: int) -> dict[str, np.ndarray]:
        network = cast(WordLM, self.run.network)
        return {name: np.zeros((rows, network.units), np.float32) for name in state_names(network.layers)}

    def score(self, figures: Mapping[str, float], part: Part) -> float:
        """Perplexity of the model alone."""
        return figures["perplexity"]

    def baselines(self) -> dict[str, dict[str, float]]:
        """Kneser-Ney over four words, counted in the training and the validation part."""
        known = self.words.tokens(self.text.train + self.text.validation)
        nats = nats_per_token(known, self.words.tokens(self.text.test), len(self.words), order=4)
        return {"kneser-ney": {"perplexity": float(np.exp(nats))}}

    def pictures(self, predict: Predict, history: Mapping[str, list[float]]) -> dict[str, Figure]:
        """Learning curves."""
        return {"learning_curves": plots.learning_curves(history, best_by="validation_perplexity")}

    def sample(self, generate: Predict) -> str:
        """100 words at temperature 0.8, from an empty prompt."""
        how = {**self.examples()["generate"], "prompt": np.array([""], object), "max_tokens": np.array([100], np.int32)}
        return str(generate(how)["text"][0].decode())

    def examples(self) -> dict[str, Arrays]:
        """The first words of the test part; `step` and `score` take them from the start of a text."""
        words = [word for word in self.text.test[:40] if word != END_OF_LINE][:12]
        tokens, text = self.words.tokens(words)[None], np.array([" ".join(words)], object)
        return {
            "serving_default": {"text": text},
            "step": {"tokens": tokens, "lengths": np.array([tokens.shape[1]], np.int32), **self._start(1)},
            "score": {"tokens": tokens[:, :-1], "following": tokens[:, 1:], **self._start(1)},
            "encode": {"text": text},
            "decode": {"tokens": tokens},
            "generate": {
                "prompt": text,
                "max_tokens": np.array([20], np.int32),
                "temperature": np.array([0.8], np.float32),
                "top_k": np.array([0], np.int32),
                "seed": np.array([1], np.int64),
            },
        }


def _perplexity(nats: Sequence[np.ndarray]) -> Outcome:
    """exp of the mean of nats [words] of stretches, of which `COUNTED` words together are an example."""
    parts = [part for row in nats for part in np.split(row, range(COUNTED, len(row), COUNTED))]
    terms = np.array([(np.sum(part, dtype=np.float64), len(part)) for part in parts])
    return Outcome(terms, lambda sums: np.exp(sums[..., 0] / sums[..., 1]))
