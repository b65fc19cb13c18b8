"""The part of a training that differs from model to model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import keras
import numpy as np
from matplotlib.figure import Figure

from training.datasets.summary import DataSummary
from training.outcomes import Outcome
from training.run import TrainingRun

Arrays = Mapping[str, np.ndarray]
Predict = Callable[[Arrays], Arrays]  # the inputs of the signature that is evaluated to its outputs
Part = Literal["validation", "test"]


class Task(Protocol):
    """A data set, read and split, and what one does with a model on it."""

    data: DataSummary

    def inputs(self) -> Arrays:
        """The training examples, [examples, ...] each."""

    def targets(self) -> Arrays:
        """What the network should answer to them."""

    def build(self) -> keras.Model:
        """The network, adapted to the training data and compiled but for its optimizer: losses and their weights."""

    def losses(self) -> tuple[Mapping[str, Any], Mapping[str, float]]:
        """The loss of each output and its weight."""

    def evaluate(self, predict: Predict, part: Part) -> dict[str, float]:
        """The figures of a part of the data, by the exported signature or the same in memory."""

    def score(self, figures: Mapping[str, float], part: Part) -> float:
        """The one figure by which versions compare, lower is better."""

    def baselines(self) -> dict[str, dict[str, float]]:
        """The test figures of what a user would try first, by its name."""

    def pictures(self, predict: Predict, history: Mapping[str, list[float]]) -> dict[str, Figure]:
        """What people would rather look at than read."""

    def examples(self) -> dict[str, Arrays]:
        """One real request for each signature."""


@runtime_checkable
class TaskOfSequences(Task, Protocol):
    """A task whose training examples differ in length: arrays padded at the right along their second dimension."""

    def lengths(self) -> np.ndarray:
        """Time steps of each training example, [examples]."""


@runtime_checkable
class MeansOverSteps(Protocol):
    """A task whose losses are the mean over the time steps of a batch, not over its examples."""

    def steps(self) -> np.ndarray:
        """How many of them each training example has, [examples]."""


@runtime_checkable
class WritesSamples(Protocol):
    """A task whose model writes text: a sample goes into the run after each epoch."""

    def sample(self, generate: Predict) -> str:
        """Some text of the signature `generate`, the same seed each time."""


@runtime_checkable
class AlsoAligns(Protocol):
    """A task whose model has a signature `align`, greedy and quick, which also shows where attention went."""

    def validate(self, align: Predict) -> dict[str, float]:
        """The figures of the validation part, in place of those by `serving_default`."""

    def attention_maps(self, align: Predict) -> dict[str, Figure]:
        """Pictures of where attention went."""


@runtime_checkable
class CountsEachExample(Protocol):
    """A task that says what each example adds to its figures: these then have intervals."""

    def outcomes(self, predict: Predict, part: Part) -> dict[str, Outcome]:
        """The figures of `evaluate`, by the same names."""


TaskFactory = Callable[[TrainingRun, Path | None], Task]
