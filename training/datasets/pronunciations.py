"""Words with their pronunciations: CMUdict, or tab-separated pairs of a user's own.

    cmudict.dict   abkhazian AE0 B K AA1 Z IY0 AH0 N          abkhazian(2) AE0 B K AE1 Z IY0 AH0 N # a comment
    own.tsv        aalten<TAB>aː l t ə n

Of CMUdict stress (the digits) and comments are left out. Its words are numbered from 0 in the order of the file: number
mod 20 = 0 is for validation, 1 or 2 for the test, the rest for training, as in cmusphinx/g2p-seq2seq. A user's own are
a file for each part, named train.tsv, valid.tsv (or dev.tsv) and test.tsv, also behind a prefix (nl_train.tsv), or one
file, which is split.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from training.datasets import files
from training.datasets.csv_rows import content_of, shown, text_of
from training.datasets.files import DataFile
from training.datasets.parts import NAMES, complete
from training.errors import InputError

FILE = DataFile(
    data_set="cmudict",
    name="cmudict.dict",
    sha256="81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22",
    bytes=3_618_488,
    licence="BSD 2-clause style, Copyright (C) 1993-2015 Carnegie Mellon University; its notice must stay",
    citation="The CMU Pronouncing Dictionary, Carnegie Mellon University",
    url="https://raw.githubusercontent.com/cmusphinx/cmudict/0f8072f814/cmudict.dict",
)

CYCLE = 20  # words of CMUdict, of which
HELD_OUT = {0: "validation", 1: "test", 2: "test"}  # by their place in it

Phonemes = tuple[str, ...]


class Word(NamedTuple):
    """A spelling, the pronunciations that are listed for it, and where the first was read."""

    spelling: str
    pronunciations: tuple[Phonemes, ...]
    where: str


@dataclass(frozen=True, eq=False)
class Words:
    """The three parts, the file or folder that they are from with the sha256 of its bytes, and how they were split."""

    train: list[Word]
    validation: list[Word]
    test: list[Word]
    path: Path
    digest: str
    rule: str

    def table(self) -> pd.DataFrame:
        """A pronunciation a row."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return pd.DataFrame(
            [
                {"part": part, "word": word.spelling, "phonemes": " ".join(phonemes)}
                for part, words in parts.items()
                for word in words
                for phonemes in word.pronunciations
            ]
        )


def locate() -> Path:
    """The file of CMUdict: the user's copy under `SEQZOO_DATA`, or downloaded once."""
    return files.locate(FILE)


def read(path: Path) -> Words:
    """The words of a dictionary (.dict), of a tab-separated file or of a folder of such, UTF-8, in their parts.

    A file whose name ends in train stands for those beside it that end in valid, dev or test, too. Raises InputError,
    naming file and line, for a line that is no pair, or a part without a word."""
    if path.suffix == ".dict":
        return _of_dictionary(path)
    found = _files_of(path)
    digest, parts = hashlib.sha256(), {}
    for part, file in found.items():
        content = content_of(file, "a file of tab-separated pairs")
        digest.update(content)
        parts[part] = list(_grouped(_pairs(file, content)))
    return _of_parts(parts, path, digest.hexdigest())


def _of_dictionary(path: Path) -> Words:
    content = content_of(path, "a dictionary in the form of CMUdict")
    parts: dict[str, list[Word]] = {}
    for number, word in enumerate(_grouped(_entries(path, content))):
        parts.setdefault(HELD_OUT.get(number % CYCLE, "train"), []).append(word)
    words = _of_parts(parts, path, hashlib.sha256(content).hexdigest())
    rule = f"by the place of each word in the file, mod {CYCLE}: {words.rule.partition(': ')[2]}"
    return Words(words.train, words.validation, words.test, path, words.digest, rule)


def _files_of(path: Path) -> dict[str, Path]:
    if path.is_dir():
        training = sorted(file for file in path.glob("*.tsv") if _prefix(file) is not None)
        if len(training) != 1:
            names = ", ".join(file.name for file in training) or "none"
            raise InputError(
                f"{path}: found {names}; expected one file train.tsv, or such as nl_train.tsv, with tab-separated "
                "pairs. Name the file itself where there are several."
            )
        (path,) = training
    prefix = _prefix(path)
    if prefix is None:
        return {"train": path}
    beside = {part: [path.with_name(prefix + name + path.suffix) for name in names] for part, names in NAMES.items()}
    found = {part: next((file for file in files if file.is_file()), None) for part, files in beside.items()}
    return {part: file for part, file in {**found, "train": path}.items() if file is not None}


def _prefix(file: Path) -> str | None:
    """What stands before the word train in a file's name; None where it does not end in that word."""
    match = re.fullmatch(rf"(|.*[^a-zA-Z])({'|'.join(NAMES['train'])})", file.stem)
    return match and match[1]


def _entries(path: Path, content: bytes) -> Iterator[tuple[str, Phonemes, str]]:
    for where, line in _lines(path, content):
        name, *sounds = line.partition(" #")[0].split()
        phonemes = tuple(sound.rstrip("0123456789") for sound in sounds)
        if not all(phonemes) or not phonemes:
            raise InputError(
                f"{where}: found {shown(line)}; expected a word and its phonemes, such as `aalto AA L T OW`."
            )
        yield re.sub(r"\(\d+\)$", "", name), phonemes, where


def _pairs(path: Path, content: bytes) -> Iterator[tuple[str, Phonemes, str]]:
    for where, line in _lines(path, content):
        spelling, *rest = (text.strip() for text in line.split("\t"))
        if len(rest) != 1 or not spelling or not rest[0]:
            raise InputError(
                f"{where}: found {shown(line)}; expected a word, a tab and its phonemes with spaces between them. "
                "Correct or remove that line."
            )
        yield spelling, tuple(rest[0].split()), where


def _lines(path: Path, content: bytes) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text_of(path, content).split("\n"), start=1):
        if line.strip():
            yield f"{path}, line {number}", line.rstrip("\r")


def _grouped(entries: Iterable[tuple[str, Phonemes, str]]) -> list[Word]:
    """The words in the order of their first entries, each with its distinct pronunciations."""
    seen: dict[str, tuple[dict[Phonemes, None], str]] = {}
    for spelling, phonemes, where in entries:
        seen.setdefault(spelling, ({}, where))[0][phonemes] = None
    return [Word(spelling, tuple(listed), where) for spelling, (listed, where) in seen.items()]


def _of_parts(given: Mapping[str, list[Word]], path: Path, digest: str) -> Words:
    parts, rule = complete(given, path, "words")
    return Words(**parts, path=path, digest=digest, rule=rule)
