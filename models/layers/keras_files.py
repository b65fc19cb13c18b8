"""Whole models in `.keras` files, with our layers in the places of those of Keras, and the other way round.

Such a file names the class of each layer and lists its options; only these change here. The weights lie in both where
the other looks for them (`in_place_of.py`), so a model that has been built loads them from either's file by itself, by
`model.load_weights`: from a `.weights.h5` file, and from a `.keras` file too.
"""

import json
import shutil
import tempfile
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import keras

from models.layers.gru import GRUCell
from models.layers.keras_weights import OURS_ALONE, PEERS
from models.layers.lstm import LSTMCell
from models.layers.vanilla_rnn import VanillaRNNCell

CONFIG = "config.json"  # the archive's part that names the classes
ALL_PEERS: dict[Any, Any] = {
    **PEERS,
    LSTMCell: keras.layers.LSTMCell,
    GRUCell: keras.layers.GRUCell,
    VanillaRNNCell: keras.layers.SimpleRNNCell,
}


def model_from_keras(path: str | PathLike[str], **options: Any) -> Any:
    """The model of a `.keras` file with our layers in the places of Keras's LSTM, GRU and SimpleRNN.

    Inside Bidirectional, TimeDistributed, RNN(cell) and models of models too; all else is as it was saved. options:
    those of `keras.saving.load_model`. Raises ValueError for a file that is no archive of a model."""
    return _loaded(path, {theirs: ours for ours, theirs in ALL_PEERS.items()}, options)


def model_to_keras(path: str | PathLike[str], **options: Any) -> Any:
    """The model of a `.keras` file with Keras's layers in the places of ours: saved again, Keras alone can load it.

    The engines are left out. options, errors: as in `model_from_keras`."""
    return _loaded(path, ALL_PEERS, options)


def _loaded(path: str | PathLike[str], peers: dict[Any, Any], options: dict[str, Any]) -> Any:
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{str(path)!r} is no archive of a model; it expected what `model.save('NAME.keras')` writes.")
    by_identity = {_identity(_described(kind)): peer for kind, peer in peers.items()}
    with tempfile.TemporaryDirectory() as folder:
        changed = Path(folder) / "model.keras"
        with zipfile.ZipFile(path) as before, zipfile.ZipFile(changed, "w") as after:
            for name in before.namelist():
                with before.open(name) as part, after.open(name, "w", force_zip64=True) as copy:
                    if name == CONFIG:
                        copy.write(json.dumps(_replaced(json.load(part), by_identity)).encode())
                    else:
                        shutil.copyfileobj(part, copy)
        return keras.saving.load_model(changed, **options)


def _replaced(node: Any, peers: dict[str, Any]) -> Any:
    """The description with other classes in the places of those that have peers, at any depth."""
    if isinstance(node, list):
        return [_replaced(item, peers) for item in node]
    if not isinstance(node, dict):
        return node
    node = {name: _replaced(value, peers) for name, value in node.items()}
    peer = peers.get(_identity(node))
    if peer is None:
        return node
    found = _described(peer)
    if found["registered_name"] is None:
        node["config"] = {name: value for name, value in node["config"].items() if name not in OURS_ALONE}
    return {**node, **found}


def _described(kind: Any) -> dict[str, Any]:
    """How a file names a class: one of Keras's by where it is found, one of ours by the name it is registered with."""
    registered = keras.saving.get_registered_name(kind) if kind in ALL_PEERS else None
    return {
        "module": "keras.layers" if registered is None else kind.__module__,
        "class_name": kind.__name__,
        "registered_name": registered,
    }


def _identity(described: dict[str, Any]) -> str:
    """One word for the class that a part of a file describes, if it describes one."""
    return str(described.get("registered_name") or f"{described.get('module')}.{described.get('class_name')}")
