"""The epochs: a validation figure after each, best weights kept, early stop, interruption."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Any

import keras
import numpy as np

from training import checkpoint
from training.averaging import WeightAverage
from training.checkpoint import Progress, State
from training.distribution import Team
from training.run import TrainingRun
from training.walk import Walk


class TrainingInterruptedError(Exception):
    """A signal asked the training to stop; its checkpoint stays."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


def optimizer(
    run: TrainingRun, examples: int, of: type[keras.optimizers.AdamW] = keras.optimizers.AdamW
) -> keras.optimizers.AdamW:
    """AdamW, of this class, whose learning rate falls to 0 over all epochs as a half cosine."""
    steps = run.epochs * math.ceil(examples / run.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(run.learning_rate, steps)
    return of(rate, weight_decay=run.weight_decay, global_clipnorm=run.gradient_clip)


def fit(
    model: keras.Model,
    run: TrainingRun,
    walk: Walk,
    validate: Callable[[], Mapping[str, float]],
    metric: str,
    progress: Progress,
    state: State | None,
    after_epoch: Callable[[int, Mapping[str, float]], None],
    say: Callable[[str], None],
    minutes: float | None = None,
    team: Team | None = None,
) -> Progress:
    """Trains a model with its optimizer to its best weights by `metric` of `validate`, lower is better.

    With `run.average_decay` the weights that are validated and kept are the average over the steps. Goes on from
    `state` when there is one. `after_epoch` gets the epoch (from 1) and its figures. With `minutes`, from this call on,
    no epoch begins that would by the mean of those before end later; one is gone through in any case. Raises
    TrainingInterruptedError at SIGINT and SIGTERM, between two batches; the checkpoint of the last finished epoch then
    lies on the disk. With a `team` all its workers call this; the chief's `state`, `validate` and clock decide, and
    only the chief calls `after_epoch` and writes checkpoints. Raises WorkerLostError when another worker is gone."""
    model.optimizer.build(model.trainable_variables)
    if state is not None:
        _restore(model, state)
    best = state.best if state is not None else _values(model.variables)
    average = WeightAverage(model, run.average_decay, state.average if state else ()) if run.average_decay else None
    clock = _Clock(progress.epoch, minutes)
    if team is not None:
        team.follow_chief(
            progress, [*model.variables, *model.optimizer.variables, *(average.variables if average else ())]
        )
    with _stop_signals() as stop_if_asked:

        def after_batch() -> None:
            if average is not None:
                average.follow()
            stop_if_asked()

        while progress.epoch < run.epochs and progress.epoch - progress.best_epoch < run.patience:
            epoch, began = progress.epoch + 1, time.monotonic()
            loss = walk.epoch(epoch, after_batch)
            with nullcontext() if average is None else average.in_place():
                figures = {"loss": loss, **(validate() if team is None else team.told(metric, validate))}
                answering = _values(model.variables)
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss became {loss} in epoch {epoch}; try a lower learning_rate.")
            progress.epoch = epoch
            progress.seconds += time.monotonic() - began
            for name, figure in figures.items():
                progress.history.setdefault(name, []).append(figure)
            is_best = figures[metric] < progress.best_value
            if is_best:
                progress.best_value, progress.best_epoch, best = figures[metric], epoch, answering
            if team is None or team.chief:
                after_epoch(epoch, figures)
                averaged = [] if average is None else average.values()
                now = State(_values(model.variables), _values(model.optimizer.variables), best, averaged)
                checkpoint.save(progress, now)
            say(_line(epoch, run.epochs, figures, metric, is_best, clock.left(epoch, run.epochs)))
            is_up = clock.is_up(epoch)
            if epoch < run.epochs and (is_up if team is None else team.decided(is_up)):
                say(f"  no further epoch would end within {minutes:g} minutes")
                break
    for variable, value in zip(model.variables, best, strict=True):
        variable.assign(value)
    return progress


class _Clock:
    """What the epochs after `done` have taken, and whether one more fits into `minutes`."""

    def __init__(self, done: int, minutes: float | None) -> None:
        self.done, self.started = done, time.monotonic()
        self.seconds = math.inf if minutes is None else minutes * 60

    def left(self, epoch: int, epochs: int) -> float:
        """Seconds until the training ends, at the latest."""
        spent = time.monotonic() - self.started
        return min(spent / (epoch - self.done) * (epochs - epoch), max(0.0, self.seconds - spent))

    def is_up(self, epoch: int) -> bool:
        """Whether another epoch, as long as the mean of those so far, would end too late."""
        spent = time.monotonic() - self.started
        return spent + spent / (epoch - self.done) > self.seconds


def _line(epoch: int, epochs: int, figures: Mapping[str, float], metric: str, is_best: bool, left: float) -> str:
    bar = "#" * round(20 * epoch / epochs)
    numbers = f"loss {figures['loss']:.4f}  {metric} {figures[metric]:.4f}{' best' if is_best else '     '}"
    return f"  epoch {epoch:>{len(str(epochs))}}/{epochs} [{bar:<20}] {numbers}  {left:4.0f} s left"


def _values(variables: list[Any]) -> list[np.ndarray]:
    return [variable.numpy().copy() for variable in variables]


def _restore(model: keras.Model, state: State) -> None:
    for variable, value in zip(model.variables, state.variables, strict=True):
        variable.assign(value)
    for variable, value in zip(model.optimizer.variables, state.optimizer, strict=True):
        variable.assign(value)


@contextmanager
def _stop_signals() -> Iterator[Callable[[], None]]:
    """Turns SIGINT and SIGTERM into an exception between two batches (in the main thread, where signals arrive)."""
    received: list[int] = []

    def note(signal_number: int, frame: FrameType | None) -> None:
        received.append(signal_number)

    def stop_if_asked() -> None:
        if received:
            raise TrainingInterruptedError(received[-1])

    if threading.current_thread() is not threading.main_thread():
        yield stop_if_asked
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop_if_asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
