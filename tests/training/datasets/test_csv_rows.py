from pathlib import Path

import pytest

from training.datasets.csv_rows import column_names, content_of, number_of, rows, shown
from training.errors import InputError

PATH = Path("own.csv")


def read(content, columns=("a", "b")):
    return list(rows(PATH, content, columns))


def test_a_row_has_the_columns_in_the_order_asked_for_and_knows_its_line():
    assert read(b"b,x,a\n1,2,3\n4,5,6\n") == [("own.csv, line 2", ["3", "1"]), ("own.csv, line 3", ["6", "4"])]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_read(end):
    assert [row.texts for row in read(end.join(["a,b", "1,2", "3,4", ""]).encode())] == [["1", "2"], ["3", "4"]]


def test_a_byte_order_mark_is_no_part_of_the_first_name():
    assert read("a,b\n1,2\n".encode("utf-8-sig"))[0].texts == ["1", "2"]


def test_a_value_over_several_lines_keeps_the_count_of_lines():
    assert [row.where for row in read(b'a,b,remark\n1,2,"two\nlines"\n3,4,none\n')] == [
        "own.csv, line 2",
        "own.csv, line 4",
    ]


def test_empty_lines_at_the_end_are_no_rows():
    assert len(read(b"a,b\n1,2\n\n\r\n")) == 1


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", r"own\.csv, line 1: the file is empty; expected the names of the columns, a, b, .*\."),
        (b"\n\n", r"own\.csv, line 1: the file is empty"),
        (b"a,c\n1,2\n", r"own\.csv, line 1: found the columns 'a, c', where b is not there; expected a, b, .*\."),
        (b"a,b,a\n1,2,3\n", r"own\.csv, line 1: .* where a is there 2 times; expected a, b, each once"),
        (b"a,b\n1,2\n3\n", r"own\.csv, line 3: found 1 values; expected 2"),
        (b"a,b\n1,2\n3,4,5\n", r"own\.csv, line 3: found 3 values; expected 2"),
        (b"a,b\n\n3,4\n", r"own\.csv, line 2: found 0 values; expected 2"),
        (b'a,b\n1,2\n"3,4\n5,6\n', r"own\.csv, line 3: found no row of a CSV file \(.*\); .* quotation mark"),
        (b"a,b\n1,2\n3,\xff\n", r"own\.csv, line 3: found the byte 0xff, which is not UTF-8; .* Save the file"),
        ("a,b\n1,2\n".encode("utf-16"), r"own\.csv, line 1: found the byte 0xff, which is not UTF-8"),
    ],
)
def test_what_is_wrong_is_one_error_that_names_the_line(content, error):
    with pytest.raises(InputError, match=error) as told:
        read(content)
    assert "\n" not in str(told.value)


def test_a_path_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"absent\.csv cannot be read: No such file or directory; .* Check the path"):
        content_of(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        content_of(tmp_path)


def test_a_text_is_shown_short_and_on_one_line():
    assert shown("1\n2") == r"'1\n2'"
    assert shown("x" * 100) == "'" + "x" * 37 + "...'"


def test_the_names_of_the_columns_are_those_of_the_header():
    assert column_names(PATH, b'a,"b, c", d \n1,2,3\n') == ["a", "b, c", "d"]
    assert column_names(PATH, b"") == []


@pytest.mark.parametrize(("text", "number"), [("1", 1.0), (" -2.5e3 ", -2500.0), ("0x", None), ("", None)])
def test_a_text_is_a_number_or_an_error(text, number):
    if number is None:
        with pytest.raises(InputError, match=rf"own\.csv, line 2: found '{text}'; expected a number"):
            number_of("own.csv, line 2", text)
    else:
        assert number_of("own.csv, line 2", text) == number


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1_0"])
def test_what_python_reads_as_a_number_but_nobody_measured_is_an_error(text):
    with pytest.raises(InputError, match=f"found '{text}'; expected a number"):
        number_of("own.csv, line 2", text)
