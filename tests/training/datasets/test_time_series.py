import hashlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.training import made_up
from training.datasets import etth1
from training.datasets.time_series import read, split
from training.errors import InputError

LINES = list(made_up.hourly_lines(count=50))


@pytest.fixture
def write(tmp_path):
    """Writes lines to a file and gives its path."""

    def write(lines):
        path = tmp_path / "own.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def with_line(number, text):
    """The lines, the one with that number, from 1, replaced."""
    return [*LINES[: number - 1], text, *LINES[number:]]


def test_times_and_values_are_those_of_the_file(write):
    path = write(LINES)
    found = read(path)
    assert found.names == ("s0", "s1")
    np.testing.assert_array_equal(
        found.times, np.arange("2020-01-01", "2020-01-03T02", dtype="datetime64[h]").astype("datetime64[s]")
    )
    assert found.values.dtype == np.float32
    for row in (0, 49):
        assert found.values[row].tolist() == [np.float32(text) for text in LINES[row + 1].split(",")[1:]]
    assert found.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="read-only"):
        found.values[0] = 0


def test_the_time_column_may_stand_anywhere_under_any_of_its_names(write):
    found = read(write(["a,Timestamp,b", "1,2020/01/01,2", "3,2020/01/08,4", "5,2020/01/15,6"]))
    assert found.names == ("a", "b")
    assert found.values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert str(found.times[-1]) == "2020-01-15T00:00:00"


def test_one_series_alone(write):
    found = read(write(LINES))
    alone = found.only("s1")
    assert alone.names == ("s1",)
    np.testing.assert_array_equal(alone.values[:, 0], found.values[:, 1])
    with pytest.raises(InputError, match=r"own\.csv: it has no series 'OT'; it has s0, s1"):
        found.only("OT")


def test_the_table_has_a_time_a_row(write):
    table = read(write(LINES)).table()
    assert list(table.columns) == ["time", "s0", "s1"]
    assert len(table) == 50


def test_the_split_is_by_time_and_leaves_nothing_out(write):
    assert split(read(write(LINES))) == ((0, 30), (30, 40), (40, 50))


def test_the_split_of_etth1_is_12_4_and_4_months_of_its_hours():
    assert etth1.SPLIT == ((0, 8640), (8640, 11520), (11520, 14400))


@pytest.mark.parametrize(
    ("line", "text", "parts"),
    [
        (1, "day,s0,s1", ["line 1", "found the columns 'day, s0, s1'; expected a column of times, named date or time"]),
        (1, "date", ["line 1", "and one or more of numbers"]),
        (1, "", ["line 1", "the columns"]),
        (3, "2020-01-01 01:00:00,1", ["line 3", "found 2 values; expected 3"]),
        (3, "noon,1,2", ["line 3, column date", "found 'noon'; expected a time such as 2016-07-01"]),
        (3, "2020-01-01 01:00:00,1,x", ["line 3, column s1", "found 'x'; expected a number"]),
        (3, "2020-01-01 01:00:00,nan,1", ["line 3, column s0", "found 'nan'; expected a number"]),
        (3, "2020-01-01 00:00:00,1,2", ["line 3", "found 2020-01-01 00:00:00 below 2020-01-01 00:00:00", "later time"]),
        (9, "2020-01-01 09:00:00,1,2", ["line 9", "found 2020-01-01 09:00:00", "expected 2020-01-01 07:00:00"]),
        (9, "2020-01-01 06:00:00,1,2", ["line 9", "expected 2020-01-01 07:00:00", "remove a second line"]),
    ],
)
def test_a_wrong_line_is_named_with_what_was_expected(line, text, parts, write):
    with pytest.raises(InputError) as told:
        read(write(with_line(line, text)))
    for part in ["own.csv", *parts]:
        assert part in str(told.value)


def test_a_file_without_times_is_an_error(write, tmp_path):
    with pytest.raises(InputError, match=r"own\.csv: found 1 times; expected two or more"):
        read(write(LINES[:2]))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match=r"empty\.csv, line 1: the file is empty"):
        read(tmp_path / "empty.csv")
    with pytest.raises(InputError, match="absent cannot be read: No such file"):
        read(tmp_path / "absent")


@given(line=st.integers(1, len(LINES)), text=st.text(st.characters(codec="utf-8"), max_size=30))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_line_is_read_or_is_one_line_of_error(line, text, write):
    path = write(with_line(line, text))
    try:
        told = str(read(path).path)
    except InputError as error:
        told = str(error)
    assert told.startswith(str(path))
    assert "\n" not in told
