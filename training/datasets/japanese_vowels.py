"""Nine speakers saying two Japanese vowels, 640 short series of 12 LPC cepstrum coefficients; or a user's own series.

A user's own lie in one file (see `labelled_series`), or in a folder with a file for each part, found by the word after
the last `_`, `-` or space of its name: NAME_TRAIN.ts, NAME_TEST.ts, and NAME_VALID.ts where there is one.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from training.datasets import files, labelled_series
from training.datasets.files import DataFile
from training.datasets.labelled_series import FORMS, LabelledSeries, SeriesFile
from training.datasets.parts import NAMES
from training.errors import InputError

URL = "https://raw.githubusercontent.com/aeon-toolkit/aeon/v1.6.0/aeon/datasets/data/JapaneseVowels"
HELD_OUT = 5  # of so many series of a label one is held out for each part that is missing


def _file(name: str, size: int, sha256: str) -> DataFile:
    return DataFile(
        data_set="japanese-vowels",
        name=name,
        sha256=sha256,
        bytes=size,
        licence="UCI data set, to be cited; the package it is taken from, aeon 1.6.0, BSD-3-Clause",
        citation="Kudo, Toyama & Shimbo 1999, Multidimensional Curve Classification Using Passing-Through Regions",
        url=f"{URL}/{name}",
    )


FILES = (
    _file("JapaneseVowels_TRAIN.ts", 487_971, "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd"),
    _file("JapaneseVowels_TEST.ts", 649_132, "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462"),
)


@dataclass(frozen=True, eq=False)
class SplitSeries:
    """The series of the three parts; the labels of the training part, sorted; where from, and how it was split.

    digest: the sha256 of the file, of more files that of their sha256 one after another."""

    train: list[LabelledSeries]
    validation: list[LabelledSeries]
    test: list[LabelledSeries]
    labels: tuple[str, ...]
    path: Path
    digest: str
    rule: str

    @property
    def channels(self) -> int:
        """Numbers of each time step."""
        return int(self.train[0].values.shape[1])

    def table(self) -> pd.DataFrame:
        """A series a row: its part, label, length, and the mean of each channel."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return pd.DataFrame(
            [
                {"part": part, "label": each.label, "time_steps": float(len(each.values))}
                | {f"mean_{place}": float(mean) for place, mean in enumerate(each.values.mean(axis=0), start=1)}
                for part, series in parts.items()
                for each in series
            ]
        )


def locate() -> Path:
    """The folder of the two files: the user's copy under `SEQZOO_DATA`, or downloaded once. Raises InputError where
    the user has one of them alone."""
    return files.locate_together(FILES)[0].parent


def read(path: Path) -> SplitSeries:
    """The series of a file, or of a folder with a file for each part, split where that is not given.

    What is missing is held out from the training series: of every `HELD_OUT` of a label, in their order, the last for
    one part, the last but one for the other. Raises InputError as `labelled_series.read` does, for a folder without a
    training file, fewer than two labels, a label of the other parts that the training part lacks, or an empty part."""
    found = _files(path)
    read_files = {part: labelled_series.read(each) for part, each in found.items()}
    parts, rule = _split({part: each.series for part, each in read_files.items()})
    digests = [each.digest for each in read_files.values()]
    digest = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    labels = tuple(sorted({each.label for each in parts["train"]}))
    _check(parts, labels, read_files["train"])
    return SplitSeries(**parts, labels=labels, path=path, digest=digest, rule=rule)


def _files(path: Path) -> dict[str, Path]:
    if not path.is_dir():
        return {"train": path}
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        part = _part_of(file)
        if part is None:
            continue
        if part in found:
            raise InputError(f"{path}: found {found[part].name} and {file.name}; expected one file for {part}.")
        found[part] = file
    if "train" not in found:
        raise InputError(
            f"{path}: found no file for training; expected NAME_TRAIN.ts, beside NAME_TEST.ts, or .csv. "
            f"Name the files so, or give one file: {FORMS}."
        )
    return {part: found[part] for part in NAMES if part in found}


def _part_of(file: Path) -> str | None:
    if file.suffix.lower() not in (".ts", ".csv"):
        return None
    word = re.split(r"[_\- ]", file.stem)[-1].lower()
    return next((part for part, names in NAMES.items() if word in names), None)


def _split(given: dict[str, Sequence[LabelledSeries]]) -> tuple[dict[str, list[LabelledSeries]], str]:
    parts = {part: list(given.get(part, ())) for part in NAMES}
    missing = [part for part in ("test", "validation") if not parts[part]]
    rule = "as given"
    if missing:
        counts: Counter[str] = Counter()
        train, parts["train"] = parts["train"], []
        for each in train:
            place = HELD_OUT - 1 - counts[each.label] % HELD_OUT
            counts[each.label] += 1
            parts[missing[place] if place < len(missing) else "train"].append(each)
        rule = f"of every {HELD_OUT} series of a label one is held out for {' and one for '.join(missing)}"
    sizes = ", ".join(f"{part} {len(series)}" for part, series in parts.items())
    return parts, f"{rule}: {sizes} series"


def _check(parts: dict[str, list[LabelledSeries]], labels: tuple[str, ...], train: SeriesFile) -> None:
    channels = train.series[0].values.shape[1]
    if len(labels) < 2:
        raise InputError(
            f"{train.path}: found the labels {', '.join(labels) or '(none)'} to train on; expected two or more. "
            "Add series of another label."
        )
    for part, series in parts.items():
        if not series:
            raise InputError(
                f"{train.path}: found {len(parts['train'])} series to train on and none for the {part} part; expected "
                f"{HELD_OUT} or more of a label to split. Add more, or give a folder with a file for each part."
            )
        for each in series:
            if each.label not in labels:
                raise InputError(
                    f"{each.where}: found the label {each.label!r}; expected one of the training part: "
                    f"{', '.join(labels)}. Correct it, or add training series of that label."
                )
            if each.values.shape[1] != channels:
                raise InputError(
                    f"{each.where}: found {each.values.shape[1]} channels; expected {channels}, as in training."
                )
