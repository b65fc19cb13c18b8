"""A training inside another MLflow run: logged, but neither registered nor exported, so that the champion stays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import mlflow
import tensorflow as tf

from models.zoo import entry
from training import checkpoint, precision
from training.checkpoint import Progress
from training.fitting import fit
from training.pipeline import answering_of, copy_weights, in_memory, prepared
from training.run import TrainingRun
from training.tasks.table import task_module
from training.tasks.task import Predict, Task
from training.tracking import recording

AfterEpoch = Callable[[int, Mapping[str, float]], None]


class StoppedError(Exception):
    """Raised after an epoch: the training need not go on; the text says why."""


@dataclass(frozen=True, eq=False)
class Nested:
    """A finished training: its task, the network with its best weights, how to ask it, and its epochs."""

    task: Task
    model: keras.Model
    predict: Predict
    progress: Progress


def train_nested(
    run: TrainingRun,
    experiment: str,
    name: str,
    *,
    at_start: Callable[[keras.Model], Any] = lambda model: None,
    after_epoch: AfterEpoch = lambda epoch, figures: None,
) -> Nested:
    """Trains with the run's settings in a nested MLflow run of that name.

    at_start: gets the untrained network. after_epoch: gets each epoch's figures; a StoppedError that it raises ends the
    run as finished, with its text as the tag `stopped`, and is raised again."""
    task: Task = task_module(run.model).prepare(run)
    zoo_entry = entry(run.model)
    metric = zoo_entry.metric
    keras.utils.set_random_seed(run.seed)
    tf.config.experimental.enable_op_determinism()
    precision.check(run)
    model, walk = prepared(task, run)
    answering = answering_of(task, run, model)
    predict = in_memory(zoo_entry.signatures(answering)[zoo_entry.evaluated])
    at_start(model)

    def validate() -> dict[str, float]:
        copy_weights(model, answering)
        figures = task.evaluate(predict, "validation")
        return {metric: task.score(figures, "validation"), **{f"validation_{n}": v for n, v in figures.items()}}

    def log(epoch: int, figures: Mapping[str, float]) -> None:
        recording.log_epoch(epoch, figures)
        after_epoch(epoch, figures)

    with recording.recorded(experiment, name, nested=True) as active:
        mlflow.log_params(run.parameters())
        progress = Progress(run.model, active.info.run_id, run.parameters())
        stopped: StoppedError | None = None
        try:
            with precision.explaining_compilation(run):
                fit(model, run, walk, validate, metric, progress, None, log, _quiet)
        except StoppedError as error:
            stopped = error
            mlflow.set_tag("stopped", str(error))
        finally:
            checkpoint.drop(active.info.run_id)
        mlflow.log_metrics({"best_epoch": progress.best_epoch, f"best_{metric}": progress.best_value})
    if stopped is not None:
        raise stopped
    copy_weights(model, answering)
    return Nested(task, answering, predict, progress)


def _quiet(line: str) -> None:
    """A line for each epoch of each training would be too many."""
