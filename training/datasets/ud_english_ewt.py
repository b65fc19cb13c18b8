"""Sentences of the web with the part of speech of each word: UD English EWT 2.2, or a user's own treebank.

A user's own is a file of CoNLL-U (.conllu, or .conllu.gz), or a folder of such files, whose parts are found by a word
of their names: NAME-train.conllu, NAME-dev.conllu, NAME-test.conllu. Several files of a part are read in the order of
their names.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from training.datasets import conllu, files
from training.datasets.conllu import Sentence
from training.datasets.files import DataFile
from training.datasets.parts import NAMES, complete
from training.errors import InputError

LICENCE = "CC BY-SA 4.0 for the annotation; the text of the web remains its authors'"
CITATION = "Silveira et al. 2014, A Gold Standard Dependency Corpus for English; Universal Dependencies 2.2"
URL = "https://raw.githubusercontent.com/UniversalDependencies/UD_English-EWT/r2.2"
FORM = re.compile(r"\.conllu(\.gz)?", re.IGNORECASE)


def _file(part: str, size: int, sha256: str) -> DataFile:
    name = f"en_ewt-ud-{part}.conllu"
    return DataFile("ud-english-ewt", name, sha256, size, LICENCE, CITATION, f"{URL}/{name}")


FILES = {
    "train": _file("train", 13_301_116, "74001b5c55bc997fc63394c46ed36207f0107d83e0e57c89699733b5dc999eae"),
    "validation": _file("dev", 1_667_872, "9e0340da5b4ede956b52c4ad2b6ce2a3192c1c7e14d5addbd2f0679a41864432"),
    "test": _file("test", 1_661_693, "849d1814228f7b124daf22c1a1bd7428fcf6d2f3337698f714fe2ea7f0b7e600"),
}


@dataclass(frozen=True, eq=False)
class Treebank:
    """The sentences of the three parts, the sha256 of the files' bytes one after another, and how they were split."""

    train: list[Sentence]
    validation: list[Sentence]
    test: list[Sentence]
    digest: str
    rule: str

    def table(self) -> pd.DataFrame:
        """A sentence a row."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return pd.DataFrame(
            [
                {"part": part, "sentence": " ".join(s.words), "tags": " ".join(s.tags)}
                for part, sentences in parts.items()
                for s in sentences
            ]
        )


def locate() -> dict[str, list[Path]]:
    """The files of each part: the user's copies under `SEQZOO_DATA`, or downloaded once."""
    return {part: [files.locate(file)] for part, file in FILES.items()}


def found(path: Path) -> dict[str, list[Path]]:
    """The files of each part of a user's own treebank: a file of CoNLL-U, or a folder of them.

    Raises InputError for a path without any, or a folder where some files name their part and others do not."""
    if not path.is_dir():
        return {"train": [path]}
    every = sorted(each for each in path.iterdir() if FORM.search(each.name) and each.is_file())
    parts = {each: _part_of(each) for each in every}
    if not every:
        raise InputError(
            f"{path} holds no file whose name ends in .conllu or .conllu.gz; expected NAME-train.conllu, "
            "NAME-dev.conllu and NAME-test.conllu, or one of them to split. Check the path."
        )
    if not any(parts.values()):
        return {"train": every}
    unnamed = [each.name for each, part in parts.items() if part is None]
    if unnamed:
        raise InputError(
            f"{path}: found {unnamed[0]}, whose name holds none of train, dev and test, beside files that name their "
            "part; expected a part in each name, such as NAME-train.conllu. Rename it, or move it away."
        )
    return {part: [each for each in every if parts[each] == part] for part in NAMES}


def read(given: Mapping[str, list[Path]], whole: Path) -> Treebank:
    """The sentences of the files of each part, UTF-8; what is missing is held out from the training part.

    whole: what the user gave, for the text of an error. Raises InputError for a file that is no CoNLL-U, or a part
    without a sentence."""
    digest = hashlib.sha256()
    sentences: dict[str, list[Sentence]] = {part: [] for part in NAMES}
    for part, paths in given.items():
        for path in paths:
            content = conllu.unpacked(path)
            digest.update(content)
            sentences[part] += conllu.sentences(path, content)
    parts, rule = complete(sentences, whole, "sentences")
    return Treebank(**parts, digest=digest.hexdigest(), rule=rule)


def _part_of(file: Path) -> str | None:
    """The part that a word of the name stands for, the last where there are more."""
    words = re.split(r"[^a-z]+", FORM.sub("", file.name).lower())
    return next((part for word in reversed(words) for part, names in NAMES.items() if word in names), None)
