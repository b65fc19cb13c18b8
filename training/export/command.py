"""Puts a model of the zoo into a model repository: the registered champion, or the network whose weights are given."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import mlflow
import numpy as np
import tensorflow as tf

from models.zoo import Entry, entry
from training.errors import InputError
from training.export import repository as repositories
from training.export.card import card
from training.export.revision import code_revision
from training.export.saved_model import Arrays, write
from training.tracking import registry, store

GIVEN_VERSION = 1  # of a network whose weights are given: there is nothing that another version could change

DAYS = {"weather": np.array([["sunny", "rainy"]]), "first_dish": np.array(["pie"])}
ONE = tf.train.Feature(float_list=tf.train.FloatList(value=[1]))
EXAMPLE = tf.train.Example(features=tf.train.Features(feature={"x1": ONE, "x2": ONE}))
WARMUP: Mapping[str, Mapping[str, Arrays]] = {  # by entry and signature: one request
    "cook": {"serving_default": DAYS, "stations": DAYS},
    "xor": {
        "serving_default": {"x": np.array([[0, 1]], np.float32)},
        "classify": {"inputs": np.array([EXAMPLE.SerializeToString()], object)},  # a bytes array would drop last NULs
    },
}


def export(model: str, repository: Path, version: int | None = None) -> Path:
    """The folder of the exported version; a version that is there already, from the same run, stays as it is.

    version: a registered version's number, None is the champion. Raises UnknownModelError, or InputError when
    nothing was trained yet, when the number is taken by another origin, or when the repository cannot be written."""
    zoo_entry = entry(model)
    return _given(zoo_entry, repository) if zoo_entry.data is None else _registered(zoo_entry, repository, version)


def _given(zoo_entry: Entry, repository: Path) -> Path:
    network = zoo_entry.network().build()
    signatures = zoo_entry.signatures(network)
    lineage = {"code_revision": code_revision(), "data": None}
    target = repository / zoo_entry.name / str(GIVEN_VERSION)
    if repositories.lineage(target) == lineage:
        return target
    with repositories.incoming(repository, zoo_entry.name) as folder:
        write(folder, network, signatures, WARMUP[zoo_entry.name], card(zoo_entry.name), lineage)
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
