"""The figures of an exported version on its task's data: of the SavedModel in process, called as a server calls it."""

from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from training.errors import InputError
from training.export import repository as repositories
from training.run import TrainingRun, with_settings
from training.tasks.table import task_module
from training.tasks.task import Arrays, Predict, Task


@dataclass(frozen=True)
class Evaluation:
    """Figures of the test data: the model's, and those of what a user would try first."""

    folder: Path
    test: dict[str, float]
    baselines: dict[str, dict[str, float]]


def evaluate(model: str, repository: Path, version: int | None = None, data: Path | None = None) -> Evaluation:
    """Evaluates a version in a model repository, the highest when none is named, with its own parameters.

    Raises InputError when there is no such version, or for data that cannot be used."""
    module = task_module(model)
    numbers = repositories.versions(repository, model)
    number = version if version is not None else max(numbers, default=None)
    if number not in numbers:
        wanted = "any version" if number is None else f"version {number}"
        raise InputError(
            f"{repository} does not hold {wanted} of {model!r}; `seqzoo train {model}` or `seqzoo export {model} "
            f"--repository {repository}` puts one there."
        )
    folder = repository / model / str(number)
    task: Task = module.prepare(_own_run(module.RUN, folder), data)
    return Evaluation(folder, task.evaluate(exported(folder), "test"), task.baselines())


def _own_run(defaults: TrainingRun, folder: Path) -> TrainingRun:
    """The run that made the version, where its lineage says so; else the defaults."""
    said = repositories.lineage(folder).get("parameters")
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
