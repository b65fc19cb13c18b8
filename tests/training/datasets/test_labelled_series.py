import hashlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.training import made_up
from training.datasets.labelled_series import read
from training.errors import InputError

SERIES = list(made_up.labelled_series(count=6))
TS, CSV = list(made_up.ts_lines(SERIES)), list(made_up.csv_lines(SERIES))


@pytest.fixture
def write(tmp_path):
    """Writes lines to a file and gives its path."""

    def write(lines, name="own.ts"):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def with_line(lines, number, text):
    """The lines, the one with that number, from 1, replaced."""
    return [*lines[: number - 1], text, *lines[number:]]


@pytest.mark.parametrize(("name", "lines"), [("own.ts", TS), ("own.csv", CSV)])
def test_both_kinds_of_file_give_the_series_that_were_written(name, lines, write):
    path = write(lines, name)
    found = read(path)
    assert len(found.series) == 6
    for each, (values, label) in zip(found.series, SERIES, strict=True):
        np.testing.assert_array_equal(each.values, values.astype("float32"))
        assert each.values.dtype == np.float32
        assert each.label == label
    assert found.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_series_by_hand(write):
    (one,) = read(write(["@dimensions 2", "@data", "", "0.5,-1,2e1:7,8,9: up "])).series
    assert one.values.tolist() == [[0.5, 7], [-1, 8], [20, 9]]
    assert one.label == "up"
    assert one.where.endswith("own.ts, line 4")


def test_other_columns_than_series_and_label_are_channels_in_the_order_of_the_file(write):
    (one,) = read(write(["b,label,a,series", "1,x,2,s", "3,x,4,s"], "own.csv")).series
    assert one.values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("line", "text", "parts"),
    [
        (2, "@timeStamps true", ["line 2", "found time stamps", "expected @timeStamps false"]),
        (3, "@classLabel false", ["line 3", "without a label", "expected @classLabel true"]),
        (4, "1:2:up", ["line 4", "above @data", "Put @data above"]),
        (6, "up", ["line 6", "expected channels with : between them and a label last"]),
        (6, "1,2:3,4:5,6:", ["line 6", "a label last"]),
        (6, "1,2:3:4,5:up", ["line 6", "found channels of 1 to 2 values; expected as many in each"]),
        (6, "1,2:3,?:4,5:up", ["line 6, channel 2", "found '?'; expected a number"]),
        (6, "1,2:3,4:nan,5:up", ["line 6, channel 3", "found 'nan'; expected a number"]),
        (6, "1,2:3,4:up", ["line 6", "found 2 channels; expected 3"]),
        (6, "1,:3,4:5,6:up", ["line 6, channel 1", "found ''"]),
    ],
)
def test_a_wrong_line_of_a_ts_file_is_named_with_what_was_expected(line, text, parts, write):
    with pytest.raises(InputError) as told:
        read(write(with_line(TS, line, text)))
    for part in ["own.ts", *parts]:
        assert part in str(told.value)


@pytest.mark.parametrize(
    ("line", "text", "parts"),
    [
        (1, "name,label,c0,c1,c2", ["line 1", "where series is not there"]),
        (1, "series,label", ["line 1", "found no column of a channel"]),
        (3, "0,high,1,2", ["line 3", "found 4 values; expected 5"]),
        (3, "0,high,1,two,3", ["line 3, column c1", "found 'two'; expected a number"]),
        (3, "0,low,1,2,3", ["line 3, column label", "found 'low'; expected 'high', one label for each series"]),
        (2, "0,,1,2,3", ["line 2, column label", "found ''; expected a label"]),
        (30, "0,high,1,2,3", ["line 30, column series", "found '0' again below other series"]),
    ],
)
def test_a_wrong_line_of_a_csv_file_is_named_with_what_was_expected(line, text, parts, write):
    with pytest.raises(InputError) as told:
        read(write(with_line(CSV, line, text), "own.csv"))
    for part in ["own.csv", *parts]:
        assert part in str(told.value)


def test_a_file_without_series_or_of_another_kind_is_an_error(write, tmp_path):
    with pytest.raises(InputError, match=r"own\.ts: found no series; expected one or more"):
        read(write(TS[:4]))
    with pytest.raises(InputError, match=r"own\.arff: found a file of an unknown kind; expected a \.ts file"):
        read(write(TS, "own.arff"))
    with pytest.raises(InputError, match=r"absent\.ts cannot be read: No such file"):
        read(tmp_path / "absent.ts")


@given(line=st.integers(5, len(TS)), text=st.text(st.characters(codec="utf-8"), max_size=30))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_line_is_read_or_is_one_line_of_error(line, text, write, tmp_path):
    path = tmp_path / "own.ts"
    path.write_text("\n".join(with_line(TS, line, text)), encoding="utf-8")
    try:
        found = read(path)
    except InputError as error:
        told = str(error)
    else:
        assert all(np.isfinite(each.values).all() for each in found.series)
        told = str(found.path)
    assert told.startswith(str(path))
    assert "\n" not in told
