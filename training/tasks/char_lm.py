"""Training text character by character: one long text, the state carried over, nats for each character."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
from matplotlib.figure import Figure

from models.language import LanguageModel
from models.language.signatures import state_names
from models.zoo.char_lm import CharacterModel, CharLM
from training import plots
from training.baselines.ngram import nats_per_token
from training.carried import CarriedText, chunks_of
from training.datasets import characters
from training.datasets.summary import DataSummary
from training.fitting import optimizer
from training.outcomes import Outcome, rate_of
from training.run import TrainingRun
from training.tasks.task import Arrays, Part, Predict
from training.walk import Walk

STRETCHES = 10  # of a part that is evaluated: read side by side, each from zeros, the state carried through it


@dataclass(frozen=True)
class CharLMRun(TrainingRun):
    """A training of `char-lm`."""

    unroll_steps: int = 64  # characters that a gradient goes back; the state goes on
    reset_rate: float = 0.02  # share of rows whose state is set to zeros before a chunk
    average_decay: float = 0.995


RUN = CharLMRun(
    model="char-lm",
    network=CharLM(),
    epochs=32,
    patience=5,
    batch_size=64,
    learning_rate=3e-3,
    weight_decay=1e-2,
)


def prepare(run: CharLMRun, data: Path | None = None) -> "CharLMTask":
    """Reads Tiny Shakespeare, or the user's own text in UTF-8. Raises InputError where that cannot be used."""
    return CharLMTask(run, characters.locate() if data is None else data, of_the_zoo=data is None)


class CharLMTask:
    """The text in order: its characters one after the other, each predicted from all before it."""

    def __init__(self, run: CharLMRun, path: Path, of_the_zoo: bool) -> None:
        self.run = run
        self.text = characters.read(path)
        origin = characters.FILE
        self.data = DataSummary(
            name=origin.data_set if of_the_zoo else path.stem,
            source=origin.url if of_the_zoo else str(path.absolute()),
            sha256=self.text.digest,
            licence=origin.licence if of_the_zoo else "the user's own",
            table=self.text.table(),
        )
        chunks_of(len(self.text.train), run.batch_size, run.unroll_steps)

    def inputs(self) -> Arrays:
        """The characters of the training part; `walk` goes through them."""
        return {"text": np.array(list(self.text.train))}

    def targets(self) -> Arrays:
        """The character after each."""
        return {"text": np.roll(self.inputs()["text"], -1)}

    def losses(self) -> tuple[Mapping[str, Any], Mapping[str, float]]:
        """Those of the walk: cross-entropy of the next character."""
        return {}, {}

    def build(self) -> keras.Model:
        """The network over the characters of the training part."""
        return cast(CharLM, self.run.network).build(sorted(set(self.text.train)))

    def walk(self, model: CharacterModel) -> Walk:
        """Truncated back-propagation with the state carried over."""
        run, tokens = self.run, model.characters.tokens(self.text.train)
        steps = chunks_of(len(tokens), run.batch_size, run.unroll_steps)
        model.optimizer = optimizer(run, steps * run.batch_size)
        language: LanguageModel = model
        compiled = run.jit_compile == "yes"
        return CarriedText(language, tokens, run.batch_size, run.unroll_steps, run.reset_rate, run.seed, None, compiled)

    def evaluate(self, predict: Predict, part: Part) -> dict[str, float]:
        """Nats for each character of the part, read in `STRETCHES` stretches from zeros, the state carried through."""
        return {name: outcome.figure() for name, outcome in self.outcomes(predict, part).items()}

    def outcomes(self, predict: Predict, part: Part) -> dict[str, Outcome]:
        """The nats and the characters of each stretch."""
        text: str = getattr(self.text, part)
        cuts = np.linspace(0, len(text), STRETCHES + 1).astype(int)
        stretches = [text[begin:end] for begin, end in pairwise(cuts)]
        outputs = predict({"text": np.array(stretches, object)})
        return {"nats_per_char": rate_of(-np.asarray(outputs["log_likelihood"], np.float64), np.diff(cuts))}

    def score(self, figures: Mapping[str, float], part: Part) -> float:
        """Nats for each character."""
        return figures["nats_per_char"]

    def baselines(self) -> dict[str, dict[str, float]]:
        """Kneser-Ney over six characters, counted in the training and the validation part."""
        known = self.text.validation + self.text.train
        alphabet = {character: number for number, character in enumerate(sorted(set(known)), start=1)}
        before, test = (
            np.array([alphabet.get(character, 0) for character in text]) for text in (known, self.text.test)
        )
        return {"kneser-ney": {"nats_per_char": nats_per_token(before, test, len(alphabet) + 1)}}

    def pictures(self, predict: Predict, history: Mapping[str, list[float]]) -> dict[str, Figure]:
        """Learning curves."""
        return {"learning_curves": plots.learning_curves(history, best_by="validation_nats_per_char")}

    def sample(self, generate: Predict) -> str:
        """500 characters at temperature 0.8, from an empty prompt."""
        how = {**self.examples()["generate"], "prompt": np.array([""], object), "max_tokens": np.array([500], np.int32)}
        return str(generate(how)["text"][0].decode())

    def examples(self) -> dict[str, Arrays]:
        """The first line of the test part; `step` takes it from the start of a text."""
        line = self.text.test.strip().split("\n")[0][:40]
        model = cast(CharLM, self.run.network)
        alphabet = sorted({*self.text.train, "\n"})
        tokens = np.array([[alphabet.index(c) + 1 if c in alphabet else 0 for c in line]], np.int32)
        states = {name: np.zeros((1, model.units), np.float32) for name in state_names(model.layers)}
        text = np.array([line], object)
        return {
            "serving_default": {"text": text},
            "step": {"tokens": tokens, "lengths": np.array([tokens.shape[1]], np.int32), **states},
            "encode": {"text": text},
            "decode": {"tokens": tokens},
            "generate": {
                "prompt": text,
                "max_tokens": np.array([64], np.int32),
                "temperature": np.array([0.8], np.float32),
                "top_k": np.array([0], np.int32),
                "seed": np.array([1], np.int64),
            },
        }
