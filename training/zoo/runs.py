"""The registered runs of a model in the MLflow store, by their seed."""

from dataclasses import dataclass
from typing import Any

import mlflow

from training.errors import InputError
from training.tracking import store
from training.tracking.recording import DATA_SHA256, TRAINING_SECONDS

SEEDS = (0, 1, 2)  # of each model that is recorded; the first is that whose weights come along
MILLISECONDS = 1e3


@dataclass(frozen=True)
class SeededRun:
    """A registered run, what its training took, and the test figures of every registered run that differs from it in
    its seed alone."""

    run_id: str
    seed: int
    version: int
    seconds: float
    settings: dict[str, Any]
    figures_by_seed: dict[str, dict[str, float]]


def run_of_seed(model: str, seed: int) -> SeededRun:
    """The newest registered run of the model with that seed. Raises InputError when there is none."""
    runs = _registered(model)
    number = max((n for n, run in runs.items() if run.data.params.get("seed") == str(seed)), default=None)
    if number is None:
        raise InputError(
            f"no run of {model!r} with seed {seed} is registered at {store.uri()}; `seqzoo train {model} "
            f"--seed {seed}` makes one."
        )
    chosen = runs[number]
    settings = _without_seed(chosen.data.params)
    return SeededRun(
        run_id=chosen.info.run_id,
        seed=seed,
        version=number,
        seconds=_seconds(chosen),
        settings=settings,
        figures_by_seed=_by_seed(runs, model, settings, chosen.data.tags.get(DATA_SHA256)),
    )


def figures_by_seed(model: str, settings: dict[str, str], data_sha256: str) -> dict[str, dict[str, float]]:
    """The test figures of the newest registered run of each seed, of those with these settings and data."""
    return _by_seed(_registered(model), model, settings, data_sha256)


def _registered(model: str) -> dict[int, mlflow.entities.Run]:
    """The runs by the number of their version."""
    store.connect()
    client = mlflow.MlflowClient()
    versions = client.search_model_versions(f"name='{model}'")
    return {int(v.version): client.get_run(v.run_id) for v in sorted(versions, key=lambda v: int(v.version))}


def _by_seed(
    runs: dict[int, mlflow.entities.Run], model: str, settings: dict[str, str], data_sha256: str | None
) -> dict[str, dict[str, float]]:
    return {
        run.data.params["seed"]: _test_figures(run, model)
        for run in runs.values()
        if (_without_seed(run.data.params), run.data.tags.get(DATA_SHA256)) == (settings, data_sha256)
    }


def _without_seed(parameters: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in sorted(parameters.items()) if name != "seed"}


def _seconds(run: mlflow.entities.Run) -> float:
    """What its epochs took; of a run that did not log it yet, from its start to its end."""
    whole = (run.info.end_time - run.info.start_time) / MILLISECONDS
    return float(run.data.metrics.get(TRAINING_SECONDS, whole))


def _test_figures(run: mlflow.entities.Run, model: str) -> dict[str, float]:
    """test_x of the model itself: a plain guess's have its name between."""
    metrics = {n.removeprefix("test_"): v for n, v in run.data.metrics.items() if n.startswith("test_")}
    return {n: v for n, v in metrics.items() if f"validation_{n}" in run.data.metrics}
