"""A treebank file in CoNLL-U: a word a line in ten columns, an empty line after each sentence.

    # text = It works.
    1	It	it	PRON	PRP	Case=Nom|...	2	nsubj	_	_
    2	works	work	VERB	VBZ	...	0	root	_	SpaceAfter=No
    3	.	.	PUNCT	.	_	2	punct	_	_

Lines with `#` are comments. A line such as `3-4` names a written word that stands for the words of the next lines, one
such as `8.1` a word that is not written: neither counts. universaldependencies.org/format.html
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from training.datasets import csv_rows
from training.datasets.csv_rows import shown, text_of
from training.errors import InputError

COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
NOT_A_WORD = re.compile(r"[0-9]+-[0-9]+|[0-9]+\.[0-9]+")


class Sentence(NamedTuple):
    """A sentence: its words, the columns UPOS, XPOS, FEATS and DEPREL of each, the text as written; where it begins."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    xpos: tuple[str, ...]
    feats: tuple[str, ...]
    deprel: tuple[str, ...]
    text: str  # empty where the file does not say
    where: str


def unpacked(path: Path) -> bytes:
    """The bytes of a file, decompressed where its name ends in .gz. Raises InputError for what cannot be read."""
    return csv_rows.unpacked(path, "a file of CoNLL-U")


def sentences(path: Path, content: bytes) -> Iterator[Sentence]:
    """The sentences of a file whose unpacked bytes are `content`, UTF-8.

    Raises InputError, naming file and line, for a line without ten columns, a word out of its order, an empty form, or
    a word without a UPOS tag."""
    begin, text = 1, ""
    rows: list[list[str]] = []
    lines = text_of(path, content).split("\n")  # at nothing else: a form may hold any other kind of space
    for number, line in enumerate([*(line.removesuffix("\r") for line in lines), ""], start=1):
        if line.startswith("#"):
            text = line.partition("# text = ")[2] or text
        elif line.strip():
            fields = _fields(f"{path}, line {number}", line, len(rows) + 1)
            if fields is not None:
                begin = begin if rows else number
                rows.append(fields)
        else:
            if rows:
                yield _sentence(rows, text, f"{path}, line {begin}")
            text, rows = "", []


def _fields(where: str, line: str, expected: int) -> list[str] | None:
    """The columns of a word; None where the line is no word of its own. expected: the ID of the next word."""
    fields = line.split("\t")
    if len(fields) != len(COLUMNS):
        raise InputError(
            f"{where}: found {len(fields)} columns in {shown(line)}; expected {len(COLUMNS)} with tabs between them: "
            f"{', '.join(COLUMNS)}. Correct that line; a sentence ends with an empty one."
        )
    number, form, _, tag, *_ = fields
    if NOT_A_WORD.fullmatch(number):
        return None
    if number != str(expected):
        raise InputError(
            f"{where}: found the ID {shown(number)}; expected {expected}: the words of a sentence count from 1, and an "
            "empty line ends it. Correct that line."
        )
    if not form.strip():
        raise InputError(f"{where}: found no form; expected a word in column 2. Correct that line.")
    if not tag.strip() or tag == "_":
        raise InputError(
            f"{where}: found {shown(tag)} for the word {shown(form)}; expected its UPOS tag, such as NOUN, in "
            "column 4. Tag that word."
        )
    return fields


def _sentence(rows: list[list[str]], text: str, where: str) -> Sentence:
    columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    return Sentence(
        words=columns["FORM"],
        tags=columns["UPOS"],
        xpos=columns["XPOS"],
        feats=columns["FEATS"],
        deprel=columns["DEPREL"],
        text=text,
        where=where,
    )
