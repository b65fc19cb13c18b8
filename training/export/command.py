"""Puts a model of the zoo into a model repository: the registered champion, else the weights that come along.

A network whose weights are given, the slides' own, is built anew."""

import shutil
from pathlib import Path

import mlflow

from models.zoo import Entry, entry
from training.errors import InputError
from training.export import packed
from training.export import repository as repositories
from training.export.card import card
from training.export.revision import code_revision
from training.export.saved_model import write
from training.tasks.given import EXAMPLES
from training.tracking import registry, store

GIVEN_VERSION = 1  # of a network whose weights are given: there is nothing that another version could change


def export(model: str, repository: Path, version: int | None = None) -> Path:
    """The folder of the exported version; a version that is there already, from the same run, stays as it is.

    version: a registered version's number; None is the champion, or the weights that come along where nothing was
    trained. Raises UnknownModelError, or InputError when there is neither, when the number is taken by another origin,
    or when the repository cannot be written."""
    zoo_entry = entry(model)
    if zoo_entry.data is None:
        return _given(zoo_entry, repository)
    wants_packed = version == packed.VERSION or (version is None and not _has_champion(model))
    if wants_packed and packed.come_along(model):
        return _packed(model, repository)
    return _registered(zoo_entry, repository, version)


def _has_champion(model: str) -> bool:
    if not store.is_there():
        return False
    store.connect()
    return registry.has_champion(model)


def _packed(model: str, repository: Path) -> Path:
    source, target = packed.folder_of(model), repository / model / str(packed.VERSION)
    if repositories.lineage(target) == repositories.lineage(source):
        return target
    with repositories.incoming(repository, model) as folder:
        packed.unpack(source, folder)
        return repositories.publish(folder, repository, model, packed.VERSION)


def _given(zoo_entry: Entry, repository: Path) -> Path:
    network = zoo_entry.network().build()
    signatures = zoo_entry.signatures(network)
    lineage = {"code_revision": code_revision(), "data": None}
    target = repository / zoo_entry.name / str(GIVEN_VERSION)
    if repositories.lineage(target) == lineage:
        return target
    with repositories.incoming(repository, zoo_entry.name) as folder:
        write(folder, network, signatures, EXAMPLES[zoo_entry.name], card(zoo_entry.name), lineage)
        return repositories.publish(folder, repository, zoo_entry.name, GIVEN_VERSION)


def _registered(zoo_entry: Entry, repository: Path, number: int | None) -> Path:
    store.connect()
    found = registry.champion(zoo_entry.name) if number is None else registry.version(zoo_entry.name, number)
    target = repository / zoo_entry.name / str(found.number)
    if target.exists() and repositories.lineage(target).get("run_id") == found.run_id:
        return target
    with repositories.incoming(repository, zoo_entry.name) as folder:
        fetched = Path(mlflow.artifacts.download_artifacts(found.source, dst_path=str(folder.parent / "fetched")))
        saved = next(fetched.glob("**/saved_model.pb"), None)
        if saved is None:
            raise InputError(f"{zoo_entry.name} version {found.number} at {found.source} holds no SavedModel.")
        shutil.move(saved.parent, folder)
        return repositories.publish(folder, repository, zoo_entry.name, found.number)
