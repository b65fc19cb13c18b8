"""Registered versions: their numbers, and which of them is the champion.

The registry gives each version its number, also when two trainings share the store. The metric by which versions
compare is kept on the version itself, so that whoever registers last sees all and names the best.
"""

from dataclasses import dataclass

import mlflow
from mlflow.exceptions import MlflowException

from training.errors import InputError

CHAMPION = "champion"
METRIC_TAG = "seqzoo.metric"


@dataclass(frozen=True)
class Version:
    """A registered version: its number, its run, and where its model's files lie in the store."""

    model: str
    number: int
    run_id: str
    source: str


def register(model: str, model_uri: str, metric: float) -> Version:
    """A new version of the model; lower metrics are better. Raises MlflowException when the store refuses."""
    made = mlflow.register_model(model_uri, model, tags={METRIC_TAG: repr(metric)})
    return _version(made)


def crown(model: str) -> Version:
    """Gives the alias `champion` to the version with the lowest metric (of equals the newest), and returns it."""
    client = mlflow.MlflowClient()
    found = [v for v in client.search_model_versions(f"name='{model}'") if METRIC_TAG in v.tags]
    best = min(found, key=lambda v: (float(v.tags[METRIC_TAG]), -int(v.version)))
    client.set_registered_model_alias(model, CHAMPION, best.version)
    return _version(best)


def champion(model: str) -> Version:
    """The version with the alias `champion`. Raises InputError when none was registered."""
    try:
        return _version(mlflow.MlflowClient().get_model_version_by_alias(model, CHAMPION))
    except MlflowException as error:
        raise InputError(
            f"no trained version of {model!r} is registered at {mlflow.get_registry_uri()}; "
            f"`seqzoo train {model}` makes one."
        ) from error


def has_champion(model: str) -> bool:
    """Whether a trained version of the model has the alias `champion`."""
    found = mlflow.MlflowClient().search_registered_models(f"name='{model}'")
    return any(CHAMPION in each.aliases for each in found)


def version(model: str, number: int) -> Version:
    """The registered version of that number. Raises InputError when there is none."""
    try:
        return _version(mlflow.MlflowClient().get_model_version(model, str(number)))
    except MlflowException as error:
        raise InputError(
            f"{model!r} has no version {number} at {mlflow.get_registry_uri()}; `seqzoo ui` shows those that it has."
        ) from error


def _version(v: "mlflow.entities.model_registry.ModelVersion") -> Version:
    return Version(v.name, int(v.version), v.run_id, v.source)
