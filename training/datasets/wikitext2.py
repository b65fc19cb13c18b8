"""Words one after the other: WikiText-2, or a user's own text.

A user's own is a text file in UTF-8 (.txt, or .txt.gz), cut by its lines: the last 10 % are the test, the last 5 % of
the rest validate; or a folder of such files whose names hold train, valid and test. White space separates words, and
the end of each line is a word. Words that training has once are read as <unk>, where the text itself has no <unk>.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from models.language.vocabulary import END_OF_LINE, UNKNOWN_WORD
from training.datasets import files
from training.datasets.csv_rows import text_of, unpacked
from training.datasets.files import DataFile
from training.datasets.parts import NAMES
from training.errors import InputError

LICENCE = "CC BY-SA, the text of Wikipedia"
CITATION = "Merity et al. 2016, Pointer Sentinel Mixture Models (arXiv 1609.07843)"
URL = "https://raw.githubusercontent.com/pytorch/examples/77f55b9121/word_language_model/data/wikitext-2"
TEST_SHARE = 0.1
VALIDATION_SHARE = 0.05  # of the lines that are not the test's
MOST_WORDS = 50_000  # that are known; the most frequent
LEAST_WORDS = 20  # of a part


def _file(part: str, size: int, sha256: str) -> DataFile:
    return DataFile("wikitext-2", f"{part}.txt", sha256, size, LICENCE, CITATION, f"{URL}/{part}.txt")


FILES = {
    "train": _file("train", 10_797_148, "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f"),
    "validation": _file("valid", 1_121_681, "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8"),
    "test": _file("test", 1_256_449, "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0"),
}


@dataclass(frozen=True, eq=False)
class RunningText:
    """The words of the three parts, ends of lines among them; the sha256 of the files' bytes; how they were split."""

    train: list[str]
    validation: list[str]
    test: list[str]
    digest: str
    rule: str

    def vocabulary(self) -> list[str]:
        """The words of training that are known, the most frequent first."""
        counts = Counter(self.train)
        least = 1 if UNKNOWN_WORD in counts else 2
        known = sorted((word for word in counts if counts[word] >= least), key=lambda word: (-counts[word], word))
        return known[:MOST_WORDS]

    def table(self) -> pd.DataFrame:
        """The parts and their sizes."""
        parts = {name: getattr(self, name) for name in NAMES}
        sizes = [(name, len(part), len(set(part))) for name, part in parts.items()]
        return pd.DataFrame(sizes, columns=["part", "words", "distinct"])


def locate() -> dict[str, Path]:
    """The file of each part: the user's copies under `SEQZOO_DATA`, or downloaded once."""
    return {part: files.locate(file) for part, file in FILES.items()}


def found(path: Path) -> dict[str, Path]:
    """The file of each part in a user's folder, or the one file to split.

    Raises InputError for a folder that does not hold one file for each part."""
    if not path.is_dir():
        return {"train": path}
    every = sorted(each for each in path.iterdir() if re.search(r"\.txt(\.gz)?$", each.name) and each.is_file())
    named = {part: [each for each in every if _words_of(each) & set(names)] for part, names in NAMES.items()}
    for part, those in named.items():
        if len(those) != 1:
            listed = ", ".join(each.name for each in those) or "none"
            raise InputError(
                f"{path}: found {listed} for the {part} part; expected one file of text for each part, such as "
                "train.txt, valid.txt and test.txt. Rename them so, or give a single file to be split."
            )
    return {part: those[0] for part, those in named.items()}


def read(given: Mapping[str, Path]) -> RunningText:
    """The words of the files. Raises InputError for a file that is no text in UTF-8, and a part that is too short."""
    digest, lines = hashlib.sha256(), {}
    for part, path in given.items():
        content = unpacked(path, "a text file")
        digest.update(content)
        lines[part] = text_of(path, content).removesuffix("\n").split("\n")
    rule = "split as given"
    if set(lines) == {"train"}:
        every = lines["train"]
        known = len(every) - int(len(every) * TEST_SHARE)
        trained = known - int(known * VALIDATION_SHARE)
        lines = {"train": every[:trained], "validation": every[trained:known], "test": every[known:]}
        rule = "the last 10 % of the lines are the test, the last 5 % of the rest validate"
    parts = {part: [word for line in rows for word in (*line.split(), END_OF_LINE)] for part, rows in lines.items()}
    for part, words in parts.items():
        if len(words) < LEAST_WORDS:
            raise InputError(
                f"{next(iter(given.values()))}: found {len(words)} words for the {part} part, ends of lines counted; "
                f"expected {LEAST_WORDS} or more. Give a longer text, or one with more lines to cut between."
            )
    counts = ", ".join(f"{part} {len(words):,}" for part, words in parts.items())
    return RunningText(**parts, digest=digest.hexdigest(), rule=f"{rule}: {counts} words")


def _words_of(path: Path) -> set[str]:
    return set(re.split(r"[^a-z]+", path.name.lower()))
