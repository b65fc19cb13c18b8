"""A model repository: <repository>/<model>/<version>, each version appearing by one rename of a finished folder.

While it is written a version lies beside the others under a name that no server takes for one (it is no number).
"""

import json
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.errors import InputError

INCOMING = ".incoming-"
ABANDONED_SECONDS = 24 * 3600.0  # an incoming folder as old as this belongs to a writer that was killed


@contextmanager
def incoming(repository: Path, model: str) -> Iterator[Path]:
    """A new name for a version in the making, on the repository's own disk; gone afterwards unless published.

    Raises InputError when the repository cannot be written."""
    parent = repository / model
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = parent / f"{INCOMING}{uuid.uuid4().hex}"
        _drop_abandoned(parent)
        folder.mkdir()
    except OSError as error:
        raise InputError(
            f"the model repository {repository} cannot be written ({error.strerror}: {error.filename}); "
            "give a folder that you may write to with --repository."
        ) from error
    try:
        yield folder / "version"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, repository: Path, model: str, version: int) -> Path:
    """Lets a finished version appear under its number, by one rename.

    Raises InputError when that number is there already."""
    target = repository / model / str(version)
    try:
        if target.exists():
            raise FileExistsError
        folder.rename(target)
    except OSError as error:
        if not target.exists():
            raise
        raise InputError(
            f"{target} is there already; a version never changes: give another --repository, or remove that folder."
        ) from error
    return target


def lineage(version_folder: Path) -> dict[str, object]:
    """What a version says of its origin; empty when it says nothing."""
    try:
        found: dict[str, object] = json.loads((version_folder / "assets.extra" / "lineage.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


def versions(repository: Path, model: str) -> list[int]:
    """The numbers of the model's versions, ascending."""
    parent = repository / model
    if not parent.is_dir():
        return []
    return sorted(int(f.name) for f in parent.iterdir() if f.name.isdecimal() and f.is_dir())


def _drop_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{INCOMING}*"):
        if time.time() - folder.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
