import dataclasses
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from training.datasets.seattle_weather import COLUMNS, FILE, MEASURES, locate, read, split
from training.errors import InputError

LINES = locate().read_text().splitlines()
some_files = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def seattle():
    return read(locate())


@pytest.fixture
def write(tmp_path):
    """Writes lines to a file and gives its path."""

    def write(lines):
        path = tmp_path / "own.csv"
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass") + b"\n")
        return path

    return write


def days_from(first, count):
    """Lines of a file of that many days, each of another temperature."""
    days = (first + timedelta(days=number) for number in range(count))
    return [",".join(COLUMNS), *(f"{day},0.5,{10 + number % 7},{number % 5},3" for number, day in enumerate(days))]


def with_line(number, text):
    """The lines of Seattle, the one with that number, from 1, replaced."""
    return [*LINES[: number - 1], text, *LINES[number:]]


def test_seattle_has_every_day_from_2012_to_2015(seattle):
    np.testing.assert_array_equal(seattle.dates, np.arange("2012-01-01", "2016-01-01", dtype="datetime64[D]"))
    assert len(seattle.dates) == 1461


def test_the_values_are_those_of_the_file(seattle):
    assert LINES[1] == "2012/01/01,0.0,12.8,5.0,4.7,drizzle"
    assert LINES[-1] == "2015/12/31,0.0,5.6,-2.1,3.5,sun"
    for day, values in ((0, (0.0, 12.8, 5.0, 4.7)), (-1, (0.0, 5.6, -2.1, 3.5))):
        assert [getattr(seattle, name)[day] for name in MEASURES] == [np.float32(value) for value in values]
    for name in MEASURES:
        assert getattr(seattle, name).dtype == np.float32
        assert getattr(seattle, name).shape == (1461,)


def test_it_rained_where_there_was_precipitation(seattle):
    assert not seattle.rain[0]
    assert seattle.rain[1]
    assert seattle.rain.sum() == sum(float(line.split(",")[1]) > 0 for line in LINES[1:])


def test_the_digest_is_the_checksum_of_the_file(seattle):
    assert seattle.digest == FILE.sha256
    assert seattle.path == locate()


def test_the_day_of_the_year_starts_at_1_and_knows_leap_years(seattle):
    by_date = dict(zip(seattle.dates.astype(str), seattle.day_of_year, strict=True))
    assert [by_date[day] for day in ("2012-01-01", "2012-12-31", "2013-01-01", "2013-12-31")] == [1, 366, 1, 365]
    assert seattle.day_of_year.dtype == np.float32


def test_the_table_has_the_used_columns_of_the_file(seattle):
    table = seattle.table()
    assert tuple(table.columns) == COLUMNS
    np.testing.assert_array_equal(table["temp_min"], seattle.temp_min)
    assert str(table["date"].iloc[-1].date()) == "2015-12-31"


def test_what_was_read_cannot_be_changed(seattle):
    with pytest.raises(ValueError, match="read-only"):
        seattle.temp_max[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        seattle.wind = seattle.temp_max


def test_columns_in_another_order_with_others_between_give_the_same(seattle, write):
    rows = [line.split(",") for line in LINES]
    shuffled = read(write([",".join([row[5], row[4], row[0], row[1], "x", row[3], row[2]]) for row in rows]))
    for name in ("dates", *MEASURES):
        np.testing.assert_array_equal(getattr(shuffled, name), getattr(seattle, name))


def test_dates_with_dashes_give_the_same(seattle, write):
    np.testing.assert_array_equal(read(write([line.replace("/", "-") for line in LINES])).dates, seattle.dates)


def test_seattle_is_split_into_2012_and_2013_then_2014_then_2015(seattle):
    parts = split(seattle)
    years = [np.unique(seattle.dates[part].astype("datetime64[Y]").astype(str)).tolist() for part in parts]
    assert years == [["2012", "2013"], ["2014"], ["2015"]]
    assert [len(part) for part in parts] == [730, 365, 365]


def test_every_day_but_the_first_is_a_target_once(seattle):
    np.testing.assert_array_equal(np.concatenate(split(seattle)), np.arange(1, 1461))


@given(first=st.dates(date(1900, 1, 1), date(2100, 1, 1)), count=st.integers(1, 2000))
@some_files
def test_other_years_are_split_by_the_same_rule_or_it_is_said_why_not(first, count, write):
    weather = read(write(days_from(first, count)))
    years = weather.dates.astype("datetime64[Y]").astype(int)
    of_test, of_validation = (years == years[-1]).sum(), (years == years[-1] - 1).sum()
    few = min(of_test, of_validation, count - of_test - of_validation) < 30
    if few:
        with pytest.raises(InputError, match=r"own\.csv: found \d+ days of .*; expected .* year"):
            split(weather)
    else:
        parts = split(weather)
        np.testing.assert_array_equal(np.concatenate(parts), np.arange(1, count))
        assert (len(parts.validation), len(parts.test)) == (of_validation, of_test)


def test_two_years_are_too_few_for_the_split(write):
    path = write(days_from(date(2019, 1, 1), 731))
    with pytest.raises(
        InputError, match=r"own\.csv: found 731 days of 2019-2020; expected three calendar years or more"
    ):
        split(read(path))


@pytest.mark.parametrize(
    ("first", "count", "found"),
    [
        (date(2017, 1, 1), 3 * 365 + 3, "found 3 days of 2020 for the test part"),
        (date(2017, 12, 30), 2 + 2 * 365, "found 2 days of 2017 for the train part"),
    ],
)
def test_a_year_of_a_few_days_makes_no_part(first, count, found, write):
    with pytest.raises(InputError, match=rf"own\.csv: {found}; expected 30 or more\. .* leave the year out"):
        split(read(write(days_from(first, count))))


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(column, write):
    header = LINES[0].replace(column, column.upper())
    with pytest.raises(InputError, match=rf"own\.csv, line 1: .* where {column} is not there; expected date, precip"):
        read(write(with_line(1, header)))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("2013/11/30,0,-,5,4,sun", ", column temp_max: found '-'; expected a number from -100 to 70 "),
        ("2013/11/30,0,9,,4,sun", ", column temp_min: found ''; expected a number"),
        ("2013/11/30,nan,9,5,4,sun", ", column precipitation: found 'nan'; expected a number"),
        ("2013/11/30,0,9,5,inf,sun", r", column wind: found 'inf'; .* \(m/s\)\. Put in the measured value"),
        ("2013/11/30,-0.1,9,5,4,sun", r", column precipitation: found '-0\.1'; .* from 0 to 2000 \(mm\)"),
        ("2013/11/30,0,-9999,5,4,sun", ", column temp_max: found '-9999'; .* fill a missing one"),
        ("2013/11/30,0,1_0,5,4,sun", ", column temp_max: found '1_0'"),
        ("2013/11/29,0,9,5,4,sun", ", .*: found 2013-11-29 a second time; expected the day after 2013-11-29"),
        ("2012/11/30,0,9,5,4,sun", r", .*: found 2012-11-30 below 2013-11-29; .* Sort the lines by date"),
        ("2013/12/01,0,9,5,4,sun", ", .*: found 2013-12-01 below 2013-11-29, so that 1 day is missing"),
        ("2013/12/03,0,9,5,4,sun", ", .* so that 3 days are missing; .* Add a line for each missing day"),
        ("30.11.2013,0,9,5,4,sun", r", column date: found '30\.11\.2013'; expected .* 2012/01/31 or 2012-01-31"),
        ("2013/02/29,0,9,5,4,sun", ", column date: found '2013/02/29'; expected a day of the calendar"),
        ("9999/12/31,0,9,5,4,sun", ", column date: found 9999-12-31 below 2013-11-29"),
        ("", ": found 0 values; expected 6"),
        ("2013/11/30,0,9,5,4", ": found 5 values; expected 6"),
    ],
)
def test_a_wrong_line_is_named_with_what_was_found_and_expected(text, error, write):
    assert LINES[700].startswith("2013/11/30")
    with pytest.raises(InputError, match=rf"own\.csv, line 701{error}") as told:
        read(write(with_line(701, text)))
    assert "\n" not in str(told.value)


def test_the_last_day_of_the_calendar_is_followed_by_none(write):
    with pytest.raises(InputError, match="found 2012-01-01 below 9999-12-31"):
        read(write([",".join(COLUMNS), "9999-12-31,0,1,0,1", "2012-01-01,0,1,0,1"]))


def test_a_file_without_days_is_an_error(write):
    with pytest.raises(InputError, match=r"own\.csv: found the names of the columns only; .* Add a line for each day"):
        read(write(LINES[:1]))


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    with pytest.raises(InputError, match="absent cannot be read: No such file or directory"):
        read(tmp_path / "absent")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read(tmp_path)


def is_measured(column, text):
    """Whether a value cannot be told from a measured one."""
    try:
        return MEASURES[column].least <= float(text) <= MEASURES[column].most
    except ValueError:
        return False


@given(line=st.integers(2, len(LINES)), column=st.sampled_from(list(MEASURES)), text=st.text(max_size=8))
@some_files
def test_any_single_wrong_value_is_answered_with_its_line(line, column, text, write):
    assume(not is_measured(column, text))
    values = LINES[line - 1].split(",")
    values[COLUMNS.index(column)] = text
    with pytest.raises(InputError, match=rf"own\.csv, line {line}\b"):
        read(write(with_line(line, ",".join(values))))


@given(
    line=st.integers(2, len(LINES) - 1),
    text=st.text(st.characters(exclude_characters="\r\n"), max_size=40),
)
@some_files
def test_any_single_line_of_other_text_is_answered_with_its_line(line, text, write):
    with pytest.raises(InputError, match=rf"own\.csv, line {line}\b"):
        read(write(with_line(line, text)))


@given(line=st.integers(1, len(LINES)), at=st.integers(0, 60), junk=st.binary(min_size=1, max_size=6))
@some_files
def test_any_bytes_within_a_line_are_read_or_are_one_line_of_error(line, at, junk, tmp_path):
    lines = [text.encode() for text in LINES]
    lines[line - 1] = lines[line - 1][:at] + junk + lines[line - 1][at:]
    path = tmp_path / "own.csv"
    path.write_bytes(b"\n".join(lines))
    try:
        told = str(read(path).path)
    except InputError as error:
        told = str(error)
    assert told.startswith(str(path))
    assert "\n" not in told


def test_the_file_as_it_ships_is_unchanged_by_git_or_a_build():
    assert b"\r" not in Path(locate()).read_bytes()
