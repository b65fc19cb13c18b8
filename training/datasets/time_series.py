"""Series of numbers measured at equal intervals: a CSV file with a time column, read, checked, split by time.

date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT
2016-07-01 00:00:00,5.827,2.009,1.599,0.462,4.203,1.340,30.531
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from training.datasets.csv_rows import column_names, content_of, number_of, rows, shown
from training.errors import InputError

TIME_NAMES = ("date", "time", "datetime", "timestamp")  # of the time column, in any case
TRAIN_SHARE, VALIDATION_SHARE = 0.6, 0.2  # of the time steps; the rest is for the test


@dataclass(frozen=True, eq=False)
class TimeSeries:
    """Equally spaced times and the values of each series at them; the arrays cannot be written to.

    times datetime64[s] [time]; values float32 [time, series], in the file's units; names [series]; path and digest
    (sha256): the file they were read from."""

    times: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]
    path: Path
    digest: str

    def table(self) -> pd.DataFrame:
        """A time a row, a series a column."""
        return pd.DataFrame({"time": self.times} | {name: self.values[:, i] for i, name in enumerate(self.names)})

    def only(self, name: str) -> "TimeSeries":
        """That series alone. Raises InputError when there is none of that name."""
        if name not in self.names:
            raise InputError(f"{self.path}: it has no series {name!r}; it has {', '.join(self.names)}.")
        place = self.names.index(name)
        return TimeSeries(self.times, self.values[:, place : place + 1], (name,), self.path, self.digest)


class Split(NamedTuple):
    """The time steps of each part, as (first, one past the last)."""

    train: tuple[int, int]
    validation: tuple[int, int]
    test: tuple[int, int]


def read(path: Path) -> TimeSeries:
    """The series of a CSV file in UTF-8: a column of times (named as one of `TIME_NAMES`), all others numbers.

    Times are ISO 8601, such as 2016-07-01 or 2016-07-01 13:00:00; slashes may stand for dashes. Raises InputError,
    naming the file and the line, for whatever is not one whole row of numbers for each time, at equal intervals."""
    content = content_of(path)
    names = column_names(path, content)
    time_name = next((name for name in names if name.lower() in TIME_NAMES), None)
    series = [name for name in names if name != time_name]
    if names and (time_name is None or not series):
        raise InputError(
            f"{path}, line 1: found the columns {shown(', '.join(names), 120)}; expected a column of times, named "
            f"{' or '.join(TIME_NAMES)}, and one or more of numbers. Name the columns so in that line."
        )
    times: list[datetime] = []
    numbers: list[list[float]] = []
    for where, (text, *texts) in rows(path, content, [time_name or TIME_NAMES[0], *series]):
        times.append(_time(f"{where}, column {time_name}", text))
        _check_interval(f"{where}, column {time_name}", times)
        named = zip(series, texts, strict=True)
        numbers.append([number_of(f"{where}, column {name}", number) for name, number in named])
    if len(times) < 2:
        raise InputError(f"{path}: found {len(times)} times; expected two or more. Add a line for each time.")
    when, values = np.array(times, "datetime64[s]"), np.array(numbers, np.float32)
    for array in (when, values):
        array.setflags(write=False)
    return TimeSeries(when, values, tuple(series), path, hashlib.sha256(content).hexdigest())


def split(series: TimeSeries) -> Split:
    """The first 60 % of the times for training, the next 20 % for validation, the rest for the test."""
    count = len(series.times)
    train = int(count * TRAIN_SHARE)
    validation = train + int(count * VALIDATION_SHARE)
    return Split((0, train), (train, validation), (validation, count))


def _time(where: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip().replace("/", "-")).replace(tzinfo=None)
    except ValueError:
        raise InputError(
            f"{where}: found {shown(text)}; expected a time such as 2016-07-01 or 2016-07-01 13:00:00. "
            "Correct that line."
        ) from None


def _check_interval(where: str, times: list[datetime]) -> None:
    if len(times) < 2:
        return
    interval = times[1] - times[0]
    if interval <= timedelta(0):
        raise InputError(f"{where}: found {times[1]} below {times[0]}; expected a later time. Sort the lines by time.")
    if times[-1] - times[-2] != interval:
        raise InputError(
            f"{where}: found {times[-1]} below {times[-2]}; expected {times[-2] + interval}, the interval of the first "
            "two times. Add a line for each missing time, and remove a second line of the same time."
        )
