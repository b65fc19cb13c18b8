"""Words of a text: which file is which part, what is known, and what a user may get wrong."""

import gzip

import pytest

from training.datasets import wikitext2
from training.errors import InputError

LINE = "the cook bakes a pie , and the <unk> eats it .\n"


def test_parts_are_found_by_their_names_packed_or_not(tmp_path):
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress((LINE * 20).encode()))
    (tmp_path / "my_valid.txt").write_text(LINE * 10)
    (tmp_path / "test.txt").write_text(LINE * 9)
    text = wikitext2.read(wikitext2.found(tmp_path))
    assert text.rule == "split as given: train 260, validation 130, test 117 words"
    assert text.train[:13] == [*LINE.split(), "<eos>"]
    assert text.table()["distinct"].tolist() == [12, 12, 12]


def test_one_file_is_cut_by_its_lines(tmp_path):
    lines = [f"w{number} " * 20 for number in range(200)]
    (tmp_path / "own.txt").write_text("\n".join(lines))
    text = wikitext2.read(wikitext2.found(tmp_path / "own.txt"))
    assert text.rule.startswith("the last 10 % of the lines are the test, the last 5 % of the rest validate")
    assert (text.train[-2], text.validation[0], text.validation[-2], text.test[0]) == ("w170", "w171", "w179", "w180")
    assert text.train + text.validation + text.test == [word for line in lines for word in (*line.split(), "<eos>")]


def test_words_are_known_by_frequency_and_once_is_too_few_where_the_text_has_no_unknown_word():
    def known(words):
        return wikitext2.RunningText(words.split(), [], [], "", "").vocabulary()

    assert known("b a b c a b <unk>") == ["b", "a", "<unk>", "c"]
    assert known("b a b c a b") == ["b", "a"]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"a few words\n", r"own.txt: found \d+ words for the train part, ends of lines counted; expected 20 or more"),
        (b"fine\n\xff\n", r"own.txt, line 2: found the byte 0xff, which is not UTF-8"),
    ],
)
def test_a_text_that_cannot_be_used_is_an_error_that_says_why(tmp_path, content, match):
    (tmp_path / "own.txt").write_bytes(content)
    with pytest.raises(InputError, match=match):
        wikitext2.read(wikitext2.found(tmp_path / "own.txt"))


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["train.txt"], "found none for the validation part; expected one file of text for each part"),
        (["train.txt", "valid.txt", "test.txt", "test_2.txt"], "found test.txt, test_2.txt for the test part"),
    ],
)
def test_a_folder_without_one_file_for_each_part_is_an_error_that_says_why(tmp_path, names, match):
    for name in names:
        (tmp_path / name).write_text(LINE * 20)
    with pytest.raises(InputError, match=match):
        wikitext2.found(tmp_path)


def test_a_damaged_pack_and_a_missing_file_are_errors_that_say_why(tmp_path):
    (tmp_path / "own.txt.gz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match=r"own.txt.gz cannot be decompressed.*Pack it anew"):
        wikitext2.read(wikitext2.found(tmp_path / "own.txt.gz"))
    with pytest.raises(InputError, match=r"nowhere.txt cannot be read: No such file.*expected a text file"):
        wikitext2.read(wikitext2.found(tmp_path / "nowhere.txt"))
