"""What a training needs to go on from its last finished epoch, as one folder that appears by one rename."""

import json
import os
import shutil
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from training.errors import InputError
from training.home import checkpoints


@dataclass
class Progress:
    """Where a training stands after its last finished epoch; epoch 0 is the start. seconds: what the finished epochs
    took, their validation too, by the wall clock; a pause before `--resume` does not count."""

    model: str
    run_id: str
    parameters: dict[str, Any]
    epoch: int = 0
    best_epoch: int = 0
    best_value: float = float("inf")
    history: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class State:
    """All numbers that the next epoch depends on: each an array for each variable, in the model's order."""

    variables: list[np.ndarray]  # weights, statistics, states of the random generators
    optimizer: list[np.ndarray]
    best: list[np.ndarray]  # the variables after the best epoch
    average: list[np.ndarray] = field(default_factory=list)  # of the weights over the steps, where it is kept


def save(progress: Progress, state: State) -> Path:
    """Writes the checkpoint of a finished epoch, then drops the one before. Raises OSError (a full disk, say)."""
    folder = checkpoints() / progress.run_id
    folder.mkdir(parents=True, exist_ok=True)
    writing = folder / f".writing-{uuid.uuid4().hex}"
    finished = folder / f"epoch-{progress.epoch:05d}"
    writing.mkdir()
    try:
        arrays = {f"{name}.{i}": a for name, group in vars(state).items() for i, a in enumerate(group)}
        np.savez(writing / "state.npz", allow_pickle=False, **arrays)
        (writing / "progress.json").write_text(json.dumps(asdict(progress), indent=1))
        writing.rename(finished)
    except BaseException:
        shutil.rmtree(writing, ignore_errors=True)
        raise
    for other in folder.iterdir():
        if other != finished:
            shutil.rmtree(other, ignore_errors=True)
    return finished


def load(folder: Path) -> tuple[Progress, State]:
    """What `save` wrote. Raises InputError when the checkpoint is damaged."""
    try:
        progress = Progress(**json.loads((folder / "progress.json").read_text()))
        with np.load(folder / "state.npz", allow_pickle=False) as arrays:
            groups: dict[str, list[np.ndarray]] = {"variables": [], "optimizer": [], "best": [], "average": []}
            for name in arrays.files:  # in the order of writing
                groups[name.rpartition(".")[0]].append(arrays[name])
    except (OSError, EOFError, ValueError, TypeError, KeyError, BadZipFile) as error:
        raise InputError(
            f"the checkpoint {folder} cannot be read ({error}); delete it and train from the start."
        ) from error
    return progress, State(**groups)


def newest(model: str) -> Path | None:
    """The newest checkpoint of a training of this model that has not ended, or None."""
    found = [f for f in checkpoints().glob("*/epoch-*") if _model_of(f) == model]
    return max(found, key=lambda f: f.stat().st_mtime, default=None)


def drop(run_id: str) -> None:
    """Forgets the checkpoints of a training that has ended."""
    shutil.rmtree(checkpoints() / run_id, ignore_errors=True)
    if checkpoints().is_dir() and not any(checkpoints().iterdir()):
        os.rmdir(checkpoints())


def _model_of(folder: Path) -> str | None:
    try:
        model = json.loads((folder / "progress.json").read_text())["model"]
    except (OSError, ValueError, KeyError):
        return None
    return str(model)
