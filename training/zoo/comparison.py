"""The same task, data and number of parameters for each recurrence: what a vanilla RNN, an LSTM and a GRU make of it.

The reference is the network of the zoo; each other recurrence gets as many units as bring it nearest to the same number
of trained parameters. Nothing is registered or exported: the champion stays what it was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any

import keras
import mlflow
import numpy as np

from models.zoo import entry
from training import plots
from training.errors import InputError
from training.figures import shown
from training.registered_gradients import forgotten_after
from training.run import TrainingRun, with_settings
from training.tasks.table import TASKS, task_module
from training.tasks.task import Task
from training.tracking import recording, store
from training.zoo.gradients import gradient_sizes, recurrence_of
from training.zoo.nested import train_nested
from training.zoo.record import parameters_of

UNITS_STEP = 2  # some networks want an even number
STEPS_BACK = 100  # time steps over which the gradient is followed
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Compared:
    """One recurrence: its size, and of each seed the figures of each epoch and those of the test data.

    gradients: its size over `STEPS_BACK` time steps relative to the last one, before the training and after, of the
    first seed."""

    cell: str
    units: int
    parameters: int
    histories: list[dict[str, list[float]]]
    tests: list[dict[str, float]]
    gradients: dict[str, np.ndarray]


def compare(
    model: str, cells: Sequence[str], seeds: Sequence[int], settings: Mapping[str, str], say: Say = print
) -> list[Compared]:
    """Trains the model with each recurrence and each seed; one MLflow run holds a nested run for each, and a picture.

    Raises InputError for a model whose recurrence cannot be exchanged."""
    defaults = with_settings(task_module(model).RUN, settings)
    if not has_cell(defaults):
        others = ", ".join(name for name in TASKS if has_cell(task_module(name).RUN))
        raise InputError(f"the recurrence of {model!r} cannot be exchanged; `seqzoo compare` knows {others}.")
    wanted = parameters_of(_task(model, defaults).build())
    store.connect()
    experiment = store.use_experiment(model)
    with recording.recorded(experiment, f"{model}-compare-{'-'.join(cells)}"):
        mlflow.log_params({"cells": ",".join(cells), "seeds": ",".join(map(str, seeds)), "parameters": wanted})
        found = [_compared(model, cell, seeds, settings, wanted, experiment, say) for cell in cells]
        recording.log_pictures(pictures(model, found))
        for each in found:
            for name in each.tests[0]:
                mlflow.log_metric(f"test_{name}_{each.cell}", float(np.mean([test[name] for test in each.tests])))
    return found


def pictures(model: str, found: Sequence[Compared]) -> dict[str, Any]:
    """The curves of all recurrences in one picture, and how their gradients shrink."""
    curves = {each.cell: each.histories for each in found}
    sizes = {f"{each.cell}, {when}": size for each in found for when, size in each.gradients.items()}
    return {
        "recurrences": plots.curves_of_recurrences(curves, ("loss", entry(model).metric)),
        "gradients": plots.gradients_over_time(sizes),
    }


def has_cell(run: TrainingRun) -> bool:
    """Whether the recurrence of a run's network is a setting."""
    assert is_dataclass(run.network)
    return {"cell", "units"} <= {each.name for each in fields(run.network)}


def units_for(wanted: int, count: Callable[[int], int]) -> int:
    """The units, an even number, whose count of parameters is nearest to the one wanted; count grows with the units."""
    low, high = UNITS_STEP, 2 * UNITS_STEP
    while count(high) < wanted:
        low, high = high, 2 * high
    while high - low > UNITS_STEP:
        middle = (low + high) // (2 * UNITS_STEP) * UNITS_STEP
        low, high = (middle, high) if count(middle) < wanted else (low, middle)
    return min((low, high), key=lambda units: abs(count(units) - wanted))


def _task(model: str, run: TrainingRun) -> Task:
    task: Task = task_module(model).prepare(run)
    return task


def _compared(
    model: str, cell: str, seeds: Sequence[int], settings: Mapping[str, str], wanted: int, experiment: str, say: Say
) -> Compared:
    def run_of(units: int, seed: int = 0) -> TrainingRun:
        texts = {**settings, "cell": cell, "units": str(units), "seed": str(seed)}
        return with_settings(task_module(model).RUN, texts)

    units = units_for(wanted, lambda some: parameters_of(_task(model, run_of(some)).build()))
    parameters = parameters_of(_task(model, run_of(units)).build())
    say(f"{cell}: {units} units, {parameters:,} parameters (the zoo's own: {wanted:,})")
    trained = [_trained(run_of(units, seed), cell, experiment, say) for seed in seeds]
    histories, tests, gradients = (list(each) for each in zip(*trained, strict=True))
    return Compared(cell, units, parameters, histories, tests, gradients[0])


@forgotten_after()
def _trained(
    run: TrainingRun, cell: str, experiment: str, say: Say
) -> tuple[dict[str, list[float]], dict[str, float], dict[str, np.ndarray]]:
    gradients: dict[str, np.ndarray] = {}

    def follow(when: str, model: keras.Model) -> None:
        gradients[when] = gradient_sizes(recurrence_of(model), STEPS_BACK)

    name = f"{run.model}-{cell}-seed{run.seed}"
    made = train_nested(run, experiment, name, at_start=partial(follow, "untrained"))
    follow("trained", made.model)
    test = made.task.evaluate(made.predict, "test")
    mlflow.log_metrics({f"test_{name}": value for name, value in test.items()}, run_id=made.progress.run_id)
    figures = ", ".join(f"{name} {shown(value)}" for name, value in test.items())
    say(f"  {cell}, seed {run.seed}: best of {made.progress.epoch} epochs {made.progress.best_epoch}, test {figures}")
    return made.progress.history, test, gradients
