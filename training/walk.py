"""One epoch: how a training goes through its examples."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np

from training.batches import as_dataset, batches_by_length
from training.run import TrainingRun
from training.tasks.task import Arrays


class Walk(Protocol):
    """Goes through the training data once."""

    def epoch(self, number: int, stop_if_asked: Callable[[], None]) -> float:
        """Trains on all of it once and returns the mean loss; number counts from 1, and with the run's seed decides
        the order. Calls stop_if_asked after each batch, which raises to stop the training."""


@runtime_checkable
class WalksItself(Protocol):
    """A task whose examples are not independent of each other: it brings its own walk."""

    def walk(self, model: keras.Model) -> Walk:
        """The walk; the model has its optimizer afterwards."""


class ShuffledExamples:
    """Batches of independent examples, [examples, ...] each, in another order each epoch; the model is compiled.

    With lengths [examples], the time steps of each, batches hold examples of like length and are cut to the longest."""

    def __init__(
        self,
        model: keras.Model,
        run: TrainingRun,
        inputs: Arrays,
        targets: Arrays,
        lengths: np.ndarray | None = None,
    ) -> None:
        self.model, self.run, self.inputs, self.targets, self.lengths = model, run, inputs, targets, lengths
        self.examples = len(next(iter(targets.values())))

    def epoch(self, number: int, stop_if_asked: Callable[[], None]) -> float:
        """See `Walk`."""
        callbacks = [_AfterEachBatch(stop_if_asked)]
        logs = self.model.fit(**self._examples(number), verbose=0, callbacks=callbacks)
        return float(logs.history["loss"][0])

    def batches(self, number: int) -> list[np.ndarray]:
        """The indices of each batch of an epoch: all examples, in an order of its own."""
        rng, size = np.random.default_rng([self.run.seed, number]), self.run.batch_size
        if self.lengths is not None:
            return batches_by_length(self.lengths, size, rng)
        order = rng.permutation(self.examples)
        return [order[begin : begin + size] for begin in range(0, self.examples, size)]

    def _examples(self, number: int) -> dict[str, Any]:
        """What `keras.Model.fit` trains on in one epoch."""
        batches = self.batches(number)
        if self.lengths is not None:
            return {"x": as_dataset(self.inputs, self.targets, self.lengths, batches), "shuffle": False}
        order = np.concatenate(batches)
        x, y = ({name: array[order] for name, array in arrays.items()} for arrays in (self.inputs, self.targets))
        return {"x": x, "y": y, "batch_size": self.run.batch_size, "shuffle": False}


class _AfterEachBatch(keras.callbacks.Callback):
    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self.call = call

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.call()
