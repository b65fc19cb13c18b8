"""Which MLflow store is used, and whether it answers."""

import logging
import os
import socket
from urllib.parse import urlsplit

import mlflow

from training.errors import InputError
from training.home import home

CONNECT_SECONDS = 5.0
CHATTY = (
    "alembic",
    "mlflow.store.db.utils",
    "mlflow.system_metrics",
    "mlflow.pyfunc",
    "mlflow.tracking._model_registry",
)


def uri() -> str:
    """`MLFLOW_TRACKING_URI`, or the SQLite file under SEQZOO_HOME."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home() / 'mlflow.db'}"


def connect() -> None:
    """Points MLflow at the store. Raises InputError when a store on the network does not answer."""
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    address = uri()
    if address.startswith(("http://", "https://")):
        _check_answers(address)
    elif address.startswith("sqlite:///"):
        home().mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(os.environ.get("MLFLOW_REGISTRY_URI") or address)


def use_experiment(name: str) -> str:
    """The id of the experiment, made where it is absent; with the default store its artifacts lie beside it."""
    found = mlflow.get_experiment_by_name(name)
    if found is None:
        ours = not os.environ.get("MLFLOW_TRACKING_URI")
        location = (home() / "artifacts" / name).as_uri() if ours else None
        try:
            experiment_id = str(mlflow.create_experiment(name, artifact_location=location))
        except mlflow.exceptions.MlflowException:  # another training made it at the same moment
            found = mlflow.get_experiment_by_name(name)
            if found is None:
                raise
            experiment_id = found.experiment_id
    else:
        experiment_id = found.experiment_id
    return experiment_id


def _check_answers(address: str) -> None:
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise InputError(
            f"MLFLOW_TRACKING_URI={address} does not answer ({error}); start that server, or unset the variable to "
            "log into SEQZOO_HOME."
        ) from error
