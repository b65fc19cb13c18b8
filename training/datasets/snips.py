"""Requests to an assistant with their intent and slots: the SNIPS data in the split of Goo et al., or a user's own.

    seq.in   listen to westbam alumb allergic on google music
    seq.out  O O B-artist O B-album O B-service I-service
    label    PlayMusic

A user's own lie in a folder of that form (train/, valid/ and test/ with the three files each, or the three files
alone), or in a CSV file with the columns `utterance`, `tags` and `intent`, and `part` where they are split already.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from training.datasets import files
from training.datasets.csv_rows import content_of, rows, shown, text_of
from training.datasets.files import DataFile
from training.datasets.parts import NAMES, complete, part_named
from training.errors import InputError

LICENCE = "CC0 1.0 for the utterances (sonos/nlu-benchmark); the split carries no licence of its own"
CITATION = (
    "Coucke et al. 2018, Snips Voice Platform (arXiv 1805.10190); the split: Goo et al. 2018, Slot-Gated Modeling for "
    "Joint Slot Filling and Intent Prediction"
)
URL = "https://raw.githubusercontent.com/MiuLab/SlotGated-SLU/61f0307c72/data/snips"
FORMS = ("seq.in", "seq.out", "label")  # utterances, tags, intents: line n of the three belongs together
COLUMNS = ("utterance", "tags", "intent")


class Utterance(NamedTuple):
    """A request: its words, a BIO tag for each, what it wants; where it was read."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    intent: str
    where: str


@dataclass(frozen=True, eq=False)
class Utterances:
    """The three parts, the folder or file that they are from with the sha256 of its bytes, and how they were split."""

    train: list[Utterance]
    validation: list[Utterance]
    test: list[Utterance]
    path: Path
    digest: str
    rule: str

    def table(self) -> pd.DataFrame:
        """An utterance a row."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return pd.DataFrame(
            [
                {"part": part, "utterance": " ".join(u.words), "tags": " ".join(u.tags), "intent": u.intent}
                for part, utterances in parts.items()
                for u in utterances
            ]
        )


def _file(part: str, form: str, size: int, sha256: str) -> DataFile:
    return DataFile(f"snips/{part}", form, sha256, size, LICENCE, CITATION, f"{URL}/{part}/{form}")


FILES = (
    _file("train", "seq.in", 617_079, "04ad1e3f2121d83c6478f9a4b17d2dbdc21d06d6127f73cb7af835ed733f9855"),
    _file("train", "seq.out", 950_926, "fd5f2121d8055827e5d6b3d3bac30f3d7e94e82a5d437751960cbdd9e1b4f6d3"),
    _file("train", "label", 184_532, "bfd7df6cf9dd76c5da5d8b61bc85f90386197bdd3d7510c1d324c051537b962f"),
    _file("valid", "seq.in", 33_629, "64e0f6d8ad8aab3a3828164d7d53731a0993d3ca1aed437ceaca6d3d568d410e"),
    _file("valid", "seq.out", 50_626, "712e6d34feb8d52d208b820a5f8bae6e6ff990f08374507dfde22de389088319"),
    _file("valid", "label", 9_900, "9c1dd041216f647bcfca838aaf1a48eb5781e4404256d31ff07cd38a5436c52f"),
    _file("test", "seq.in", 33_121, "c1e341173fcea2951a8ca371956a6f81c76de87b9583c62eb87edd6158fa3a7c"),
    _file("test", "seq.out", 50_918, "58c07c9097d5e1f78889765c2a535a160f6455b90b3142055c8051847afcca47"),
    _file("test", "label", 10_120, "37a26da3ad079bb41c42c85a3a8f827eb47efec4c5917ce5d08f4b2736e4f830"),
)


def locate() -> Path:
    """The folder of the SNIPS data: the user's copy under `SEQZOO_DATA`, or downloaded once. Raises InputError where
    the user has some of the files alone."""
    return files.locate_together(FILES)[0].parent.parent


def read(path: Path) -> Utterances:
    """The utterances of a folder or of a CSV file, UTF-8, in their parts.

    Raises InputError, naming file and line, for lines that do not belong together, a tag that is no BIO tag, or a part
    without an utterance."""
    return _of_csv(path) if path.suffix.lower() == ".csv" else _of_folder(path)


def _of_folder(path: Path) -> Utterances:
    if not path.is_dir():
        raise InputError(
            f"{path} is no folder; expected one with train/, valid/ and test/, each with the files {', '.join(FORMS)}, "
            f"or a CSV file (.csv) with the columns {', '.join(COLUMNS)}. Check the path."
        )
    folders = {part: next((path / name for name in NAMES[part] if (path / name).is_dir()), None) for part in NAMES}
    digest = hashlib.sha256()
    if folders["train"] is None:
        everything = list(_of_files(path, digest))
        return _of_parts({"train": everything}, path, digest.hexdigest())
    parts = {part: list(_of_files(folder, digest)) for part, folder in folders.items() if folder is not None}
    return _of_parts(parts, path, digest.hexdigest())


def _of_files(folder: Path, digest: "hashlib._Hash") -> Iterator[Utterance]:
    lines = {}
    for form in FORMS:
        content = content_of(folder / form, "a text file")
        digest.update(content)
        lines[form] = _lines(folder / form, content)
    counts = {form: len(found) for form, found in lines.items()}
    if len(set(counts.values())) > 1:
        shortest = min(counts, key=lambda form: counts[form])
        raise InputError(
            f"{folder / shortest}, line {counts[shortest] + 1}: found the end of the file; expected as many lines as "
            f"the others have ({', '.join(f'{form} {n}' for form, n in counts.items())}). Line n of the three belongs "
            "together: complete the shorter one."
        )
    for number, (words, tags, intent) in enumerate(zip(*lines.values(), strict=True), start=1):
        where = {form: f"{folder / form}, line {number}" for form in FORMS}
        yield _utterance(where["seq.in"], where["seq.out"], where["label"], words, tags, intent)


def _lines(path: Path, content: bytes) -> list[str]:
    text = text_of(path, content).replace("\r\n", "\n").removesuffix("\n")
    return text.split("\n") if text else []


def _of_csv(path: Path) -> Utterances:
    content = content_of(path)
    header = content.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    split = "part" in [name.strip().strip('"') for name in header.split(",")]
    parts: dict[str, list[Utterance]] = {}
    for where, (words, tags, intent, *named) in rows(path, content, [*COLUMNS, *(["part"] if split else [])]):
        part = part_named(f"{where}, column part", named[0]) if split else "train"
        in_words, in_tags, in_label = (f"{where}, column {column}" for column in COLUMNS)
        parts.setdefault(part, []).append(_utterance(in_words, in_tags, in_label, words, tags, intent))
    return _of_parts(parts, path, hashlib.sha256(content).hexdigest())


def _utterance(in_words: str, in_tags: str, in_label: str, words: str, tags: str, intent: str) -> Utterance:
    if not words.split():
        raise InputError(f"{in_words}: found no word; expected an utterance. Remove that line, in all three files.")
    if len(words.split()) != len(tags.split()):
        raise InputError(
            f"{in_tags}: found {len(tags.split())} tags for the {len(words.split())} words {shown(words)}; expected a "
            "tag for each word. Correct that line."
        )
    for tag in tags.split():
        if tag != "O" and not (tag[:2] in ("B-", "I-") and len(tag) > 2):
            raise InputError(
                f"{in_tags}: found the tag {shown(tag)}; expected O, or B- or I- with the name of a slot, such as "
                "B-artist. Correct that tag."
            )
    if not intent.strip():
        raise InputError(f"{in_label}: found no intent; expected its name, such as PlayMusic. Correct that line.")
    return Utterance(tuple(words.split()), tuple(tags.split()), intent.strip(), in_words)


def _of_parts(given: Mapping[str, Sequence[Utterance]], path: Path, digest: str) -> Utterances:
    parts, rule = complete(given, path, "utterances")
    return Utterances(**parts, path=path, digest=digest, rule=rule)
