"""The figures of an exported version on its task's data: of the SavedModel in process, called as a server calls it, or
of a server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import tensorflow as tf

from models.zoo import entry
from training.errors import InputError
from training.export import packed
from training.export import repository as repositories
from training.export.command import export
from training.run import TrainingRun, with_settings
from training.tasks import given
from training.tasks.table import task_module
from training.tasks.task import Arrays, CountsEachExample, Predict, Task


@dataclass(frozen=True)
class Evaluation:
    """Figures of the test data: the model's with their 95 % intervals, and those of what a user would try first.

    source: the folder or the server that answered. A figure whose task does not count single examples has no
    interval."""

    source: str
    test: dict[str, float]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)


def evaluate(
    model: str,
    repository: Path,
    version: int | None = None,
    data: Path | None = None,
    server: tuple[str, Predict] | None = None,
) -> Evaluation:
    """Evaluates a version in a model repository, with its own parameters.

    version: None is the highest; where the repository has none, the champion or the weights that come along are put
    there. server: an address and how to ask it, in place of a version; it is asked with the parameters of the highest
    version here. Raises InputError when there is no such version, or for data that cannot be used."""
    if server is None:
        folder = _folder(model, repository, version)
        source, predict, lineage = str(folder), exported(folder, entry(model).evaluated), repositories.lineage(folder)
    else:
        (source, predict), lineage = server, _newest_lineage(model, repository)
    if entry(model).data is None:
        return Evaluation(source, given.evaluate(model, predict))
    module = task_module(model)
    task: Task = module.prepare(own_run(module.RUN, lineage), data)
    test, intervals = figures(task, predict)
    return Evaluation(source, test, intervals, task.baselines())


def figures(task: Task, predict: Predict) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """The figures of the test part, and the 95 % intervals of those that the task counts example by example."""
    if not isinstance(task, CountsEachExample):
        return task.evaluate(predict, "test"), {}
    outcomes = task.outcomes(predict, "test")
    return (
        {name: outcome.figure() for name, outcome in outcomes.items()},
        {name: outcome.interval() for name, outcome in outcomes.items()},
    )


def own_run(defaults: TrainingRun, lineage: Mapping[str, object]) -> TrainingRun:
    """The run that made a version, where its lineage says so; else the defaults."""
    said = lineage.get("parameters")
    if not isinstance(said, dict):
        return defaults
    texts = {name.removeprefix("network."): str(value) for name, value in said.items() if name != "model"}
    return with_settings(defaults, texts)


def exported(folder: Path, signature: str = "serving_default") -> Predict:
    """A signature of a SavedModel, as arrays to arrays. Raises InputError when it cannot be loaded."""
    try:
        loaded = tf.saved_model.load(str(folder))
    except (OSError, tf.errors.OpError, ValueError) as error:
        raise InputError(f"{folder} holds no SavedModel that loads ({error}); export it again.") from error
    call = loaded.signatures[signature]

    def predict(inputs: Arrays) -> Arrays:
        dtypes = {name: spec.dtype for name, spec in call.structured_input_signature[1].items()}
        outputs = call(**{name: tf.constant(inputs[name], dtype) for name, dtype in dtypes.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    predict.loaded = loaded  # type: ignore[attr-defined]  # a signature alone does not keep its variables alive
    return predict


def _folder(model: str, repository: Path, version: int | None) -> Path:
    entry(model)
    numbers = repositories.versions(repository, model)
    if not numbers and version is None:
        return export(model, repository)
    number = max(numbers) if version is None else version
    if number not in numbers:
        raise InputError(
            f"{repository} does not hold version {number} of {model!r}; `seqzoo train {model}` or `seqzoo export "
            f"{model} --repository {repository}` puts one there."
        )
    return repository / model / str(number)


def _newest_lineage(model: str, repository: Path) -> dict[str, object]:
    """Of the highest version in the repository, else of the weights that come along."""
    numbers = repositories.versions(repository, model)
    return repositories.lineage(repository / model / str(max(numbers)) if numbers else packed.folder_of(model))
