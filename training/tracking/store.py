"""Which MLflow store is used, and whether it answers."""

import contextlib
import fcntl
import logging
import os
import socket
from urllib.parse import urlsplit

import mlflow
from mlflow.exceptions import MlflowException

from training.errors import InputError
from training.home import home

VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
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
    return os.environ.get(VARIABLES[0]) or _default()


def is_there() -> bool:
    """Whether something can have been logged yet: a store that is named, or the SQLite file under SEQZOO_HOME."""
    return uri() != _default() or (home() / "mlflow.db").is_file()


def connect() -> None:
    """Points MLflow at the store. Raises InputError when a store on the network does not answer."""
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    address, given = uri(), {name for name in VARIABLES if name in os.environ}
    if address.startswith(("http://", "https://")):
        _check_answers(address)
    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(os.environ.get(VARIABLES[1]) or address)
    if address == _default():
        _make_tables()
    for name in set(VARIABLES) - given:  # MLflow writes them; SEQZOO_HOME goes on to decide
        os.environ.pop(name, None)


def use_experiment(name: str) -> str:
    """The id of the experiment, made where it is absent; with the default store its artifacts lie beside it."""
    location = (home() / "artifacts" / name).as_uri() if uri() == _default() else None
    with contextlib.suppress(MlflowException):  # it is there already, or another training makes it at this moment
        return str(mlflow.create_experiment(name, artifact_location=location))
    found = mlflow.get_experiment_by_name(name)
    if found is None or found.lifecycle_stage != "active":
        raise InputError(
            f"the experiment {name!r} at {uri()} was deleted; restore it, or delete it for good with `mlflow gc`."
        )
    return str(found.experiment_id)


def _default() -> str:
    return f"sqlite:///{home() / 'mlflow.db'}"


def _make_tables() -> None:
    """Lets MLflow make the tables of a new SQLite file, one process at a time: it does not expect a second one."""
    home().mkdir(parents=True, exist_ok=True)
    with (home() / "mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mlflow.search_experiments(max_results=1)


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
