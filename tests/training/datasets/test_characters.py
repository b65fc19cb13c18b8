"""Texts in UTF-8: their parts, and what cannot be one."""

import pytest

from training.datasets import characters
from training.errors import InputError


def test_the_parts_are_the_text_in_order(tmp_path):
    text = "".join(chr(97 + n % 26) for n in range(9_000)) + "\r\né猫" * 250
    path = tmp_path / "own.txt"
    path.write_bytes(text.encode())
    found = characters.read(path)
    assert found.validation + found.train + found.test == text
    assert (len(found.train), len(found.validation), len(found.test)) == (8550, 450, 1000)
    assert found.table()["characters"].tolist() == [8550, 450, 1000]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good\nbad \xff\n", r"own.txt, line 2, byte 9: found the byte 0xff, which is not UTF-8"),
        (b"good\n\n\0", r"own.txt, line 3, byte 6: found the byte 0x00, which no text has"),
        (b"short", r"own.txt: found 5 characters; expected 2000 or more"),
    ],
)
def test_what_is_no_text_is_answered_with_file_and_position(tmp_path, content, message):
    (tmp_path / "own.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        characters.read(tmp_path / "own.txt")


def test_a_file_that_is_not_there_is_answered_with_its_path(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.txt cannot be read: No such file"):
        characters.read(tmp_path / "nowhere.txt")
