"""Series of numbers, each with one label: `.ts` and CSV files, read and checked.

    @dimensions 2                                    series,label,x,y
    @classLabel true up down                         a,up,0.1,7
    @data                                            a,up,0.2,8
    0.1,0.2,0.3:7,8,9:up                             b,down,0.3,9

A `.ts` file has a series a line, its channels separated by `:`, their values by `,`, the label last. A CSV file has a
time step a row: `series` names the series, whose rows lie together, `label` is its label, all other columns are its
channels.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from training.datasets.csv_rows import column_names, content_of, number_of, rows, shown, text_of
from training.errors import InputError

KEYS = ("series", "label")  # the columns of a CSV file that are no channels
FORMS = "a .ts file, or a .csv file with the columns series, label and one for each channel"


class LabelledSeries(NamedTuple):
    """values float32 [time, channels] and the label; where: the file and line that it begins at."""

    values: np.ndarray
    label: str
    where: str


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """The series of a file in its order, and the sha256 of its bytes."""

    series: list[LabelledSeries]
    path: Path
    digest: str


def read(path: Path) -> SeriesFile:
    """The series of a `.ts` or `.csv` file, UTF-8.

    Raises InputError, naming the file and the line, for a value that is no number, channels of different lengths in a
    series, a series without a label, or another number of channels than the first series has."""
    if path.suffix.lower() not in (".ts", ".csv"):
        raise InputError(f"{path}: found a file of an unknown kind; expected {FORMS}. Name it so.")
    content = content_of(path, FORMS)
    found = list((_of_ts if path.suffix.lower() == ".ts" else _of_csv)(path, content))
    if not found:
        raise InputError(f"{path}: found no series; expected one or more. Add them below the header.")
    channels = found[0].values.shape[1]
    for each in found:
        if each.values.shape[1] != channels:
            raise InputError(
                f"{each.where}: found {each.values.shape[1]} channels; expected {channels}, as in the first series. "
                "Correct or remove that line."
            )
    return SeriesFile(found, path, hashlib.sha256(content).hexdigest())


def _of_ts(path: Path, content: bytes) -> Iterator[LabelledSeries]:
    in_data = False
    for number, line in enumerate(text_of(path, content).splitlines(), start=1):
        where, words = f"{path}, line {number}", line.strip()
        if not words or words.startswith("#"):
            continue
        if words.startswith("@"):
            in_data = _header(where, words.split()) or in_data
        elif not in_data:
            raise InputError(
                f"{where}: found {shown(words)} above @data; expected lines that start with # or @. Put @data above "
                "the first series."
            )
        else:
            yield _of_line(where, words)


def _header(where: str, words: list[str]) -> bool:
    """Whether the data begin below. Raises InputError for a form of file that is not read."""
    key, says = words[0].lower(), words[1].lower() if len(words) > 1 else ""
    if (key, says) == ("@timestamps", "true"):
        raise InputError(f"{where}: found time stamps; expected @timeStamps false. Write the values without times.")
    if (key, says) == ("@classlabel", "false"):
        raise InputError(f"{where}: found series without a label; expected @classLabel true. Label them.")
    return key == "@data"


def _of_line(where: str, words: str) -> LabelledSeries:
    *channels, label = words.split(":")
    if not channels or not label.strip():
        raise InputError(
            f"{where}: found {shown(words)}; expected channels with : between them and a label last. Correct that line."
        )
    values = [
        [number_of(f"{where}, channel {place}", text) for text in channel.split(",")]
        for place, channel in enumerate(channels, start=1)
    ]
    lengths = [len(channel) for channel in values]
    if len(set(lengths)) > 1:
        raise InputError(
            f"{where}: found channels of {min(lengths)} to {max(lengths)} values; expected as many in each. "
            "Correct that line."
        )
    return LabelledSeries(np.array(values, np.float32).T.copy(), label.strip(), where)


def _of_csv(path: Path, content: bytes) -> Iterator[LabelledSeries]:
    channels = [name for name in column_names(path, content) if name not in KEYS]
    if not channels:
        raise InputError(f"{path}, line 1: found no column of a channel; expected {FORMS}. Add the measured columns.")
    ended: set[str] = set()
    for series, steps in groupby(rows(path, content, [*KEYS, *channels]), key=lambda row: row.texts[0]):
        values: list[list[float]] = []
        labels: list[str] = []
        first = ""
        for where, (_, label, *texts) in steps:
            first = first or where
            _check_step(where, series, label, ended, labels)
            labels.append(label)
            named = zip(channels, texts, strict=True)
            values.append([number_of(f"{where}, column {name}", text) for name, text in named])
        ended.add(series)
        yield LabelledSeries(np.array(values, np.float32), labels[0].strip(), first)


def _check_step(where: str, series: str, label: str, ended: set[str], labels: list[str]) -> None:
    if series in ended:
        raise InputError(
            f"{where}, column series: found {shown(series)} again below other series; expected the rows of a series "
            "one below the other. Sort the lines by series, then by time."
        )
    if not label.strip() or label != (labels or [label])[0]:
        expected = shown(labels[0]) if labels else "a label"
        raise InputError(
            f"{where}, column label: found {shown(label)}; expected {expected}, one label for each series. "
            "Correct that line."
        )
