"""The weather of Seattle, 2012 to 2015, or a user's own daily weather of the same form: read, checked, split by year.

    date,precipitation,temp_max,temp_min,wind
    2012/01/01,0.0,12.8,5.0,4.7

The `weather` column of the file is labelled inconsistently over the years and is not used; rain is precipitation > 0.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from training.datasets import files
from training.datasets.csv_rows import content_of, rows, shown
from training.datasets.files import DataFile
from training.errors import InputError

FILE = DataFile(
    data_set="seattle-weather",
    name="seattle-weather.csv",
    sha256="62f0609f787158128aa2bd102967173a4953122dd4f872bf1d502cae1037df0b",
    bytes=47_838,
    licence="public domain (NOAA); the package it is taken from, vega_datasets 0.9.0, BSD-3-Clause",
    citation="NOAA National Climatic Data Center, daily weather of Seattle 2012-2015, by way of vega_datasets 0.9.0",
    url="https://raw.githubusercontent.com/altair-viz/vega_datasets/v0.9.0/vega_datasets/_data/seattle-weather.csv",
    ships=True,
)

LEAST_DAYS_OF_A_PART = 30  # fewer say nothing about a forecast


class Measure(NamedTuple):
    """A column of numbers: its unit, and the least and greatest that weather on Earth has."""

    unit: str
    least: float
    most: float


MEASURES = {
    "precipitation": Measure("mm", 0, 2000),
    "temp_max": Measure("degrees Celsius", -100, 70),
    "temp_min": Measure("degrees Celsius", -100, 70),
    "wind": Measure("m/s", 0, 120),
}
COLUMNS = ("date", *MEASURES)


@dataclass(frozen=True, eq=False)
class DailyWeather:
    """Consecutive days and what was measured on each; the arrays cannot be written to.

    dates datetime64[D] [days]; precipitation in mm, temp_max and temp_min in degrees Celsius, wind in m/s, each
    float32 [days]; path and digest (sha256): the file they were read from."""

    dates: np.ndarray
    precipitation: np.ndarray
    temp_max: np.ndarray
    temp_min: np.ndarray
    wind: np.ndarray
    path: Path
    digest: str

    @property
    def rain(self) -> np.ndarray:
        """Whether it rained, bool [days]."""
        return self.precipitation > 0

    @property
    def day_of_year(self) -> np.ndarray:
        """1 on the first of January, 365 or 366 on the last of December, float32 [days]."""
        return ((self.dates - self.dates.astype("datetime64[Y]")).astype(int) + 1).astype(np.float32)

    def table(self) -> pd.DataFrame:
        """The days as rows, with the columns of the file that are used."""
        return pd.DataFrame({"date": self.dates} | {name: getattr(self, name) for name in MEASURES})


class Split(NamedTuple):
    """The days to be forecast in each part, int64 [targets]; the days before a target may lie in another part."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def locate() -> Path:
    """The file of Seattle that ships, or the user's copy of it under `SEQZOO_DATA`."""
    return files.locate(FILE)


def read(path: Path) -> DailyWeather:
    """The days of a CSV file in UTF-8; columns other than `COLUMNS` are ignored, dates are 2012/01/31 or 2012-01-31.

    Raises InputError, naming the file and the line, for whatever is not one whole row of numbers for each day in
    order, without a gap."""
    content = content_of(path)
    days: list[date] = []
    numbers: list[list[float]] = []
    for where, (day_text, *texts) in rows(path, content, COLUMNS):
        day = _day(where, day_text)
        if days:
            _check_order(where, days[-1], day)
        days.append(day)
        numbers.append([_number(where, name, text) for name, text in zip(MEASURES, texts, strict=True)])
    if not days:
        raise InputError(f"{path}: found the names of the columns only; expected days below. Add a line for each day.")
    dates = np.array(days, "datetime64[D]")
    columns = dict(zip(MEASURES, np.array(numbers, np.float32).T.copy(), strict=True))
    for array in (dates, *columns.values()):
        array.setflags(write=False)
    return DailyWeather(dates, **columns, path=path, digest=hashlib.sha256(content).hexdigest())


def split(weather: DailyWeather) -> Split:
    """The last calendar year is for the test, the one before it for validation, all before for training.

    A day is a target where there is a day before it to forecast it from. For Seattle: 2012-2013, 2014, 2015.
    Raises InputError for fewer than three years, or a part of fewer than `LEAST_DAYS_OF_A_PART` days."""
    years = weather.dates.astype("datetime64[Y]").astype(int) + 1970
    first, last = int(years[0]), int(years[-1])
    if last - first < 2:
        raise InputError(
            f"{weather.path}: found {len(years)} days of {_span(first, last)}; expected three calendar years or more, "
            "the last for the test, the one before for validation, the rest for training. Add other years."
        )
    parts = {
        "train": (first, last - 2, np.flatnonzero(years < last - 1)),
        "validation": (last - 1, last - 1, np.flatnonzero(years == last - 1)),
        "test": (last, last, np.flatnonzero(years == last)),
    }
    for name, (begin, end, days) in parts.items():
        if len(days) < LEAST_DAYS_OF_A_PART:
            raise InputError(
                f"{weather.path}: found {len(days)} days of {_span(begin, end)} for the {name} part; expected "
                f"{LEAST_DAYS_OF_A_PART} or more. Add the rest of that year, or leave the year out."
            )
    return Split(*(days[days > 0] for _, _, days in parts.values()))


def _day(where: str, text: str) -> date:
    if re.fullmatch(r"[0-9]{4}([/-])[0-9]{2}\1[0-9]{2}", text.strip()):
        try:
            return date.fromisoformat(text.strip().replace("/", "-"))
        except ValueError:
            pass
    raise InputError(
        f"{where}, column date: found {shown(text)}; expected a day of the calendar, such as 2012/01/31 or "
        "2012-01-31. Correct that line."
    )


def _check_order(where: str, before: date, day: date) -> None:
    ahead = (day - before).days
    if ahead == 1:
        return
    if ahead == 0:
        found, remedy = "a second time", "Remove one of the two lines"
    elif ahead < 0:
        found, remedy = f"below {before}", "Sort the lines by date"
    else:
        missing = "1 day is" if ahead == 2 else f"{ahead - 1} days are"
        found = f"below {before}, so that {missing} missing"
        remedy = "Add a line for each missing day, or leave out the days before the gap"
    raise InputError(f"{where}, column date: found {day} {found}; expected the day after {before}. {remedy}.")


def _number(where: str, column: str, text: str) -> float:
    unit, least, most = MEASURES[column]
    try:
        number = np.nan if "_" in text else float(text)  # Python would read 1_0 as ten
    except ValueError:
        number = np.nan
    if not least <= number <= most:  # NaN is neither
        raise InputError(
            f"{where}, column {column}: found {shown(text)}; expected a number from {least} to {most} ({unit}). "
            "Put in the measured value; fill a missing one before training."
        )
    return number


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
