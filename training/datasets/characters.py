"""One long text in UTF-8, cut by position: Tiny Shakespeare, or a user's own file.

The first 90 % of the characters are for training, the last 10 % for the test; of the training part the first 5 %
validate and are not trained on. Not its last: a play of Tiny Shakespeare goes on over the border of the test, and who
trains on all of the 90 %, as the published figures do, has met its names.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from training.datasets import files
from training.datasets.files import DataFile
from training.errors import InputError

FILE = DataFile(
    data_set="tinyshakespeare",
    name="input.txt",
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    bytes=1_115_394,
    licence="the text is in the public domain; the repository it is taken from, karpathy/char-rnn, MIT",
    citation="Andrej Karpathy, char-rnn, 2015: data/tinyshakespeare",
    url="https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe/data/tinyshakespeare/input.txt",
)

TRAINING_SHARE = 0.9
VALIDATION_SHARE = 0.05  # of the training part
LEAST_CHARACTERS = 2000  # a test of 200 says little already


@dataclass(frozen=True)
class Text:
    """A text and its parts, in the order of the file; path and digest (sha256): where it was read from."""

    train: str
    validation: str
    test: str
    path: Path
    digest: str

    def table(self) -> pd.DataFrame:
        """The parts and their sizes."""
        parts = {name: getattr(self, name) for name in ("train", "validation", "test")}
        sizes = [(name, len(part), len(set(part))) for name, part in parts.items()]
        return pd.DataFrame(sizes, columns=["part", "characters", "distinct"])


def locate() -> Path:
    """The file of Tiny Shakespeare: the user's copy under `SEQZOO_DATA`, or downloaded once."""
    return files.locate(FILE)


def read(path: Path) -> Text:
    """A text file in UTF-8, line ends as they are.

    Raises InputError, naming the file and the position, for what is not UTF-8 or holds a NUL, and for a text of fewer
    than `LEAST_CHARACTERS` characters."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; expected a text file. Check the path.") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{_where(path, content, error.start)}: found the byte 0x{content[error.start]:02x}, which is not UTF-8; "
            "expected text in UTF-8. Save the file in that encoding."
        ) from None
    if (nul := content.find(b"\0")) >= 0:
        raise InputError(
            f"{_where(path, content, nul)}: found the byte 0x00, which no text has; expected text in UTF-8. "
            "Give a plain text file."
        )
    if len(text) < LEAST_CHARACTERS:
        raise InputError(
            f"{path}: found {len(text)} characters; expected {LEAST_CHARACTERS} or more, of which the last tenth is "
            "for the test. Give a longer text."
        )
    known = int(len(text) * TRAINING_SHARE)
    validated = int(known * VALIDATION_SHARE)
    digest = hashlib.sha256(content).hexdigest()
    return Text(text[validated:known], text[:validated], text[known:], path, digest)


def _where(path: Path, content: bytes, position: int) -> str:
    return f"{path}, line {content[:position].count(bytes([10])) + 1}, byte {position}"
