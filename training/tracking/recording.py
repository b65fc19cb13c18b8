"""What a run holds: parameters, figures per epoch, the data set, pictures, the card, the environment, the model."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import mlflow
from matplotlib.figure import Figure
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import get_dataset_source_from_json
from mlflow.models import ModelSignature
from mlflow.types.schema import Schema, TensorSpec

from training.datasets.summary import DataSummary
from training.export.contract import SignatureTensors
from training.fitting import TrainingInterruptedError

SYSTEM_METRICS_SECONDS = 1.0
DATA_SHA256 = "data.sha256"  # the tag of a run
TRAINING_SECONDS = "training_seconds"  # the metric, see `Progress.seconds`
SERVED_MODEL = Path(__file__).with_name("served_model.py")


@contextmanager
def recorded(
    experiment_id: str, name: str, run_id: str | None = None, nested: bool = False
) -> Iterator[mlflow.ActiveRun]:
    """An MLflow run around a training, with system metrics; `run_id` goes on with an earlier one; nested: inside
    another.

    Ends FINISHED, KILLED when the training was interrupted, FAILED at any other error."""
    mlflow.set_system_metrics_sampling_interval(SYSTEM_METRICS_SECONDS)
    mlflow.set_system_metrics_samples_before_logging(1)
    where = {"run_id": run_id} if run_id else {"experiment_id": experiment_id, "run_name": name}
    active = mlflow.start_run(log_system_metrics=True, nested=nested, **where)
    try:
        yield active
    except (TrainingInterruptedError, KeyboardInterrupt):
        mlflow.end_run("KILLED")
        raise
    except BaseException:
        mlflow.end_run("FAILED")
        raise
    mlflow.end_run("FINISHED")


def log_data(data: DataSummary) -> None:
    """The data set as an MLflow dataset with its digest, and the whole checksum as a tag."""
    digest = data.sha256[:32]
    dataset = mlflow.data.from_pandas(data.table, source=_source(data.source), name=data.name, digest=digest)
    mlflow.log_input(dataset, context="training")
    tags = {"data.source": data.source, "data.licence": data.licence, "data.split": data.split}
    mlflow.set_tags({DATA_SHA256: data.sha256, **{name: text for name, text in tags.items() if text}})


def _source(where: str) -> str | DatasetSource:
    """Where data come from. MLflow knows two classes for a local path, of one name, and warns that it takes the one."""
    return where if "://" in where else get_dataset_source_from_json(json.dumps({"uri": where}), "local")


def log_epoch(epoch: int, figures: Mapping[str, float]) -> None:
    """The figures of one epoch, counted from 1."""
    mlflow.log_metrics(dict(figures), step=epoch)


def log_sample(epoch: int, text: str) -> None:
    """What the model writes after an epoch, as samples/epoch-00001.txt."""
    mlflow.log_text(text, f"samples/epoch-{epoch:05d}.txt")


def log_pictures(pictures: Mapping[str, Figure]) -> None:
    """Each picture as pictures/<name>.png."""
    for name, figure in pictures.items():
        mlflow.log_figure(figure, f"pictures/{name}.png")


def log_environment() -> None:
    """The installed distributions with their versions, as environment/requirements.txt."""
    names = sorted({f"{d.metadata['Name']}=={d.version}" for d in metadata.distributions() if d.metadata["Name"]})
    mlflow.log_text("\n".join(names) + "\n", "environment/requirements.txt")


def log_model(folder: Path, tensors: SignatureTensors, example: Mapping[str, Any]) -> str:
    """The exported SavedModel as the run's model, with signature and input example. Returns its URI.

    It loads by `mlflow.pyfunc` wherever TensorFlow is: the code that calls it goes along."""
    signature = ModelSignature(*(Schema([TensorSpec(*t) for t in part]) for part in (tensors.inputs, tensors.outputs)))
    logged = mlflow.pyfunc.log_model(
        name="model",
        loader_module=SERVED_MODEL.stem,
        code_paths=[str(SERVED_MODEL)],
        data_path=str(folder),
        signature=signature,
        input_example=dict(example),
        pip_requirements=[f"{name}=={metadata.version(name)}" for name in ("tensorflow", "mlflow", "numpy")],
    )
    return str(logged.model_uri)
