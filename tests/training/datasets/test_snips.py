"""Utterances as they are read: the SNIPS data, folders and CSV files of users, and what is wrong with a file."""

import hashlib

import pytest

from tests.training.datasets.shared_data import SHARED
from tests.training.utterances import COUNTS, write_part, write_utterances
from training.datasets import snips
from training.errors import InputError


@pytest.mark.skipif(not (SHARED / "snips").is_dir(), reason="SEQZOO_DATA names no folder with the SNIPS data")
def test_the_snips_data_are_those_of_goo_et_al(monkeypatch):
    monkeypatch.setenv("SEQZOO_DATA", str(SHARED))
    data = snips.read(snips.locate())
    assert [len(part) for part in (data.train, data.validation, data.test)] == [13_084, 700, 700]
    first = data.train[0]
    assert " ".join(first.words) == "listen to westbam alumb allergic on google music"
    assert first.tags == ("O", "O", "B-artist", "O", "B-album", "O", "B-service", "I-service")
    assert first.intent == "PlayMusic"
    assert len({u.intent for u in data.train}) == 7
    assert len({tag for u in data.train for tag in u.tags}) == 72
    assert data.rule == "split as given: train 13,084, validation 700, test 700 utterances"
    assert len(data.table()) == 14_484


def test_each_file_has_its_own_address():
    assert len({file.url for file in snips.FILES}) == len({str(file) for file in snips.FILES}) == 9
    assert all(file.url.endswith(f"/data/{file}") for file in snips.FILES)


def test_a_folder_with_parts_is_taken_as_it_is_split(tmp_path):
    data = snips.read(write_utterances(tmp_path))
    assert [len(part) for part in (data.train, data.validation, data.test)] == list(COUNTS.values())


def test_a_folder_of_three_files_is_split(tmp_path):
    drawn = write_part(tmp_path, 20, seed=5)
    data = snips.read(tmp_path)
    assert [(" ".join(u.words), " ".join(u.tags), u.intent) for u in data.validation] == [drawn[0], drawn[10]]
    assert [len(part) for part in (data.train, data.validation, data.test)] == [16, 2, 2]
    assert "of every 10 training utterances" in data.rule


def test_a_csv_file_with_parts_is_taken_as_it_is_split(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("part,intent,utterance,tags\ntrain,A,x y,O B-k\ndev,A,y,B-k\ntest,B,z,O\n")
    data = snips.read(path)
    assert data.train[0][:3] == (("x", "y"), ("O", "B-k"), "A")
    assert data.validation[0].where == f"{path}, line 3, column utterance"
    assert data.test[0].intent == "B"
    assert data.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_csv_file_without_parts_is_split(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("utterance,tags,intent\n" + "x,O,A\n" * 20)
    assert len(snips.read(path).train) == 16


def test_windows_line_ends_and_spaces_around_are_no_words(tmp_path):
    for form, text in (("seq.in", " a  b \r\n" * 20), ("seq.out", "O B-x \r\n" * 20), ("label", "A \r\n" * 20)):
        (tmp_path / form).write_bytes(text.encode())
    assert snips.read(tmp_path).train[0][:3] == (("a", "b"), ("O", "B-x"), "A")


@pytest.mark.parametrize(
    ("form", "text", "error"),
    [
        ("seq.out", "O O\nO\n", r"seq.out, line 2: found 1 tags for the 2 words 'c d'; expected a tag for each word"),
        ("seq.out", "O O\nO X-y\n", r"seq.out, line 2: found the tag 'X-y'; expected O, or B- or I- with the name"),
        ("seq.out", "O O\nO B-\n", r"seq.out, line 2: found the tag 'B-'"),
        ("seq.in", "a b\n\n", r"seq.in, line 2: found no word; expected an utterance"),
        ("label", "A\n \n", r"label, line 2: found no intent; expected its name"),
        ("label", "A\n", r"label, line 2: found the end of the file; expected as many lines .*seq.in 2, seq.out 2"),
        ("label", None, r"label cannot be read: No such file or directory; expected a text file"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(tmp_path, form, text, error):
    for name, content in {"seq.in": "a b\nc d\n", "seq.out": "O O\nO O\n", "label": "A\nA\n", form: text}.items():
        if content is not None:
            (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=error):
        snips.read(tmp_path)


def test_bytes_that_are_no_utf_8_are_named_by_their_line(tmp_path):
    write_part(tmp_path, 20, seed=5)
    (tmp_path / "label").write_bytes(b"A\n\xff\n")
    with pytest.raises(InputError, match=r"label, line 2: found the byte 0xff, which is not UTF-8"):
        snips.read(tmp_path)


def test_a_path_that_is_no_folder_says_what_could_be_there(tmp_path):
    with pytest.raises(
        InputError, match=r"nowhere is no folder; expected one with train/, valid/ and test/, each with"
    ):
        snips.read(tmp_path / "nowhere")


def test_an_unknown_part_in_a_csv_file_is_named_by_its_line(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("part,intent,utterance,tags\nrest,A,x,O\n")
    with pytest.raises(InputError, match=r"own.csv, line 2, column part: found 'rest'; expected train, valid or test"):
        snips.read(path)
