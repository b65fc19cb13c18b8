"""A CSV file that a user gave, row by row: whatever is wrong with it is one InputError that names the line."""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from training.errors import InputError


class Row(NamedTuple):
    """Where a row begins, for the text of an error, and its texts in the order that was asked for."""

    where: str
    texts: list[str]


def content_of(path: Path, expected: str = "a CSV file") -> bytes:
    """The bytes of a file. Raises InputError for a path that cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; expected {expected}. Check the path.") from None


def unpacked(path: Path, expected: str) -> bytes:
    """The same, decompressed where the name ends in .gz. Raises InputError for what cannot be decompressed too."""
    content = content_of(path, expected)
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} cannot be decompressed: {error}; expected {expected} packed by gzip. Pack it anew."
        ) from None


def rows(path: Path, content: bytes, columns: Sequence[str]) -> Iterator[Row]:
    """The rows below the header, with the named columns only; empty lines at the end of the file are no rows.

    content: of the file, UTF-8. Raises InputError for another encoding, a broken row, a column that is not there once,
    or a row with more or fewer values than the header."""
    reader = csv.reader(io.StringIO(text_of(path, content).rstrip("\r\n"), newline=""), strict=True)
    where = f"{path}, line 1"
    header = _next(where, reader)
    if header is None:
        raise InputError(
            f"{where}: the file is empty; expected the names of the columns, {', '.join(columns)}, and rows below. "
            "Check how it was written."
        )
    positions = _positions(where, header, columns)
    while True:
        where = f"{path}, line {reader.line_num + 1}"
        row = _next(where, reader)
        if row is None:
            return
        if len(row) != len(header):
            raise InputError(
                f"{where}: found {len(row)} values; expected {len(header)}, one for each column. "
                "Correct or remove that line."
            )
        yield Row(where, [row[position] for position in positions])


def column_names(path: Path, content: bytes) -> list[str]:
    """The names in the header of a CSV file, in their order. Raises InputError as `rows` does."""
    header = _next(f"{path}, line 1", csv.reader(io.StringIO(text_of(path, content), newline=""), strict=True))
    return [name.strip() for name in header or []]


def number_of(where: str, text: str) -> float:
    """The finite number that a text of the file stands for. Raises InputError, at `where`, for any other text."""
    try:
        number = math.nan if "_" in text else float(text)  # Python would read 1_0 as ten
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(
            f"{where}: found {shown(text)}; expected a number. Put in the measured value; fill a missing one before "
            "training."
        )
    return number


def text_of(path: Path, content: bytes) -> str:
    """The content of a file as text. Raises InputError, naming the line, for what is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, line {line}: found the byte 0x{error.object[error.start]:02x}, which is not UTF-8; expected text "
            "in UTF-8. Save the file in that encoding."
        ) from None


def shown(text: str, most: int = 40) -> str:
    """A text of the file for an error: in quotation marks, on one line, not too long."""
    return repr(text if len(text) <= most else text[: most - 3] + "...")


def _next(where: str, reader: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        raise InputError(
            f"{where}: found no row of a CSV file ({error}); expected values with commas between them. "
            "Look for a stray quotation mark or character in that line."
        ) from None


def _positions(where: str, header: list[str], columns: Sequence[str]) -> list[int]:
    names = [name.strip() for name in header]
    for name in columns:
        if names.count(name) != 1:
            times = "not there" if name not in names else f"there {names.count(name)} times"
            raise InputError(
                f"{where}: found the columns {shown(', '.join(names), 120)}, where {name} is {times}; expected "
                f"{', '.join(columns)}, each once. Name the columns so in that line."
            )
    return [names.index(name) for name in columns]
