"""Where everything that is written lies: one folder, `SEQZOO_HOME`."""

import os
from pathlib import Path


def home() -> Path:
    """The folder of runs, models and checkpoints: `SEQZOO_HOME`, or ./.seqzoo; absolute, made when first written to."""
    return Path(os.environ.get("SEQZOO_HOME") or ".seqzoo").expanduser().absolute()


def default_repository() -> Path:
    """The model repository: <model>/<version>/saved_model.pb."""
    return home() / "repository"


def checkpoints() -> Path:
    """One folder for each training that has not ended, named by its MLflow run."""
    return home() / "checkpoints"
