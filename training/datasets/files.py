"""Where the file of a data set lies: given by the user, shipped with the package, or downloaded once."""

import gzip
import hashlib
import importlib.resources
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import pooch
import requests

from training.errors import InputError
from training.home import home


@dataclass(frozen=True)
class DataFile:
    """One file of a data set, as its origin has it, byte for byte."""

    data_set: str
    name: str
    sha256: str  # 64 hexadecimal digits
    bytes: int
    licence: str
    citation: str
    url: str  # where it is downloaded from
    ships: bool = False  # lies in training/datasets/shipped/

    def __str__(self) -> str:
        """The path below a folder of data sets."""
        return f"{self.data_set}/{self.name}"


on_stderr = partial(click.echo, err=True)


def locate(file: DataFile, show: Callable[[str], object] = on_stderr) -> Path:
    """The file on this machine, its checksum verified; packed by gzip (.gz) where it lies so in `SEQZOO_DATA`.

    Looks into `SEQZOO_DATA`/<data set>/ where the variable is set, then among the files that ship, then into
    `SEQZOO_HOME`/data/<data set>/, where a missing file is downloaded to, once. show: told of a download, with the
    licence and what to cite; standard error by default.
    Raises InputError for a checksum that differs, or a file that is nowhere and cannot be downloaded."""
    own = _given_by_the_user(file)
    if own is not None:
        return own
    if file.ships:
        return _verified(Path(str(importlib.resources.files("training.datasets") / "shipped" / file.name)), file)
    return _downloaded(file, show)


def locate_together(of_one: Sequence[DataFile]) -> list[Path]:
    """The files of one data set, which is read by the folder that they lie in.

    Raises InputError as `locate` does, and where the user has some of them alone, so that they lie in two places."""
    found = [locate(file) for file in of_one]
    first, *others = [path.parents[len(Path(str(file)).parts) - 1] for path, file in zip(found, of_one, strict=True)]
    for file, place in zip(of_one[1:], others, strict=True):
        if place != first:
            raise InputError(
                f"{of_one[0]} lies in {first} and {file} in {place}; expected all files of {file.data_set} in one "
                "folder. Put them together, or remove those that are in SEQZOO_DATA."
            )
    return found


def digest_of(path: Path) -> str:
    """The sha256 of a file, 64 hexadecimal digits; of what is packed in one whose name ends in .gz."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _given_by_the_user(file: DataFile) -> Path | None:
    given = os.environ.get("SEQZOO_DATA")
    if not given:
        return None
    folder = Path(given).expanduser().absolute()
    if not folder.is_dir():
        raise InputError(
            f"SEQZOO_DATA is {given}, which is no folder; expected the one that holds {file}. "
            "Make it, or unset SEQZOO_DATA."
        )
    path = folder / file.data_set / file.name
    packed = path.with_name(f"{path.name}.gz")
    found = path if path.exists() or not packed.exists() else packed
    return _verified(found, file) if found.exists() else None


def _verified(path: Path, file: DataFile) -> Path:
    try:
        found = digest_of(path)
    except (OSError, EOFError, zlib.error) as error:  # the latter two: packed, and damaged
        raise InputError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}; expected {_expected(file)}. "
            f"Put it there, from {file.url}."
        ) from None
    if found != file.sha256:
        raise InputError(
            f"{path} has {path.stat().st_size} bytes with sha256 {found}; expected {_expected(file)}. "
            f"Replace it by the one from {file.url}, or remove it."
        )
    return path


def _downloaded(file: DataFile, show: Callable[[str], object]) -> Path:
    folder = home() / "data" / file.data_set
    if not (folder / file.name).exists():
        show(f"Downloading {file} ({file.bytes:,} bytes). Licence: {file.licence}. Please cite: {file.citation}.")
    try:
        return Path(pooch.retrieve(file.url, f"sha256:{file.sha256}", fname=file.name, path=folder))
    except requests.RequestException as error:
        reason = f"the download failed ({_one_line(error)})"
    except ValueError:  # pooch's word for a checksum that differs; it leaves no file behind
        reason = "what was downloaded is another file (its checksum differs)"
    except OSError as error:
        reason = f"it could not be written ({error.strerror or _one_line(error)})"
    raise InputError(
        f"{file} is not on this machine, and {reason}; expected {_expected(file)} at {file.url}. "
        f"Try again, or put the file into {folder}."
    )


def _expected(file: DataFile) -> str:
    return f"{file.bytes} bytes with sha256 {file.sha256}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
