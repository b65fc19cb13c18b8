"""The weights that come along: an exported SavedModel, small enough to be kept beside the code.

    models/weights/NAME/{saved_model.pb.xz, variables.npz, assets.extra/, record.json}

Unpacked it is the SavedModel that was packed, but for what half precision costs: matrices are rounded to float16 where
that is asked for; vectors, which are few, stay as they are.
"""

import lzma
import shutil
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import tensorflow as tf

from training.errors import InputError

WEIGHTS = Path(str(resources.files("models"))) / "weights"
VERSION = 0  # of an unpacked version: those that are trained here count from 1, and take over
MEGABYTE = 2**20
GRAPH, VARIABLES, EXTRA, ASSETS = "saved_model.pb.xz", "variables.npz", "assets.extra", "assets"


def folder_of(model: str) -> Path:
    """Where the weights of a model that come along lie, or would."""
    return WEIGHTS / model


def come_along(model: str) -> bool:
    """Whether weights of the model come along."""
    return (folder_of(model) / VARIABLES).is_file()


def pack(version_folder: Path, target: Path, half: bool) -> None:
    """Writes the SavedModel of a version folder into a new or an emptied folder. half: round matrices to float16.

    Raises OSError when the disk refuses."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / GRAPH).write_bytes(lzma.compress((version_folder / "saved_model.pb").read_bytes(), preset=9))
    arrays = _variables(version_folder / "variables" / "variables")
    np.savez_compressed(target / VARIABLES, allow_pickle=False, **{n: _rounded(a, half) for n, a in arrays.items()})
    for name in (EXTRA, ASSETS):
        if (version_folder / name).is_dir():
            shutil.copytree(version_folder / name, target / name)


def unpack(packed: Path, version_folder: Path) -> None:
    """Writes the SavedModel that was packed into a new folder. Raises InputError for a damaged pack."""
    try:
        graph = lzma.decompress((packed / GRAPH).read_bytes())
        with np.load(packed / VARIABLES, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, EOFError, ValueError, lzma.LZMAError, BadZipFile) as error:
        raise InputError(f"the weights in {packed} cannot be read ({error}); install seqzoo again.") from error
    version_folder.mkdir(parents=True)
    (version_folder / "saved_model.pb").write_bytes(graph)
    _write_variables(version_folder / "variables", arrays)
    for name in (EXTRA, ASSETS):
        if (packed / name).is_dir():
            shutil.copytree(packed / name, version_folder / name)


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _variables(prefix: Path) -> dict[str, np.ndarray]:
    """Every tensor of a checkpoint by its key; a text becomes its bytes, [length] uint8."""
    reader = tf.train.load_checkpoint(str(prefix))
    found = {name: reader.get_tensor(name) for name in sorted(reader.get_variable_to_shape_map())}
    return {name: np.frombuffer(v, np.uint8) if isinstance(v, bytes) else np.asarray(v) for name, v in found.items()}


def _rounded(array: np.ndarray, half: bool) -> np.ndarray:
    if not half or array.ndim < 2 or array.dtype != np.float32 or np.abs(array).max(initial=0) > np.finfo("f2").max:
        return array
    return array.astype(np.float16)


def _write_variables(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """The checkpoint of a SavedModel, by TensorFlow's own operation: the keys are those that it was read by."""
    folder.mkdir()
    tensors = [_tensor(name, array) for name, array in arrays.items()]
    tf.raw_ops.SaveV2(
        prefix=str(folder / "variables"),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=tensors,
    )


def _tensor(name: str, array: np.ndarray) -> Any:
    if name == "_CHECKPOINTABLE_OBJECT_GRAPH":
        return tf.constant(array.tobytes())
    return tf.constant(array, tf.float32 if array.dtype == np.float16 else array.dtype)
