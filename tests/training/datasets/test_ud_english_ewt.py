"""The treebank as it is read: UD English EWT, and files and folders of users."""

import gzip
import hashlib

import pytest

from tests.training.datasets.shared_data import SHARED
from tests.training.sentences import COUNTS, write_sentences_file, write_treebank
from training.datasets import ud_english_ewt as ewt
from training.errors import InputError


@pytest.mark.skipif(not (SHARED / "ud-english-ewt").is_dir(), reason="SEQZOO_DATA names no folder with UD English EWT")
def test_ud_english_ewt_is_that_of_release_2_2(monkeypatch):
    monkeypatch.setenv("SEQZOO_DATA", str(SHARED))
    given = ewt.locate()
    data = ewt.read(given, SHARED)
    parts = (data.train, data.validation, data.test)
    assert [len(part) for part in parts] == [12_543, 2_002, 2_077]
    assert [sum(len(s.words) for s in part) for part in parts] == [204_585, 25_148, 25_096]
    assert data.train[0].words[:5] == ("Al", "-", "Zaman", ":", "American")
    assert data.train[0].tags[:5] == ("PROPN", "PUNCT", "PROPN", "PUNCT", "ADJ")
    assert data.train[0].text.startswith("Al-Zaman : American forces killed")
    assert len({tag for s in data.train for tag in s.tags}) == 17
    assert data.rule == "split as given: train 12,543, validation 2,002, test 2,077 sentences"


def test_each_file_has_its_own_address():
    assert {file.name: file.url for file in ewt.FILES.values()} == {
        f"en_ewt-ud-{part}.conllu": f"{ewt.URL}/en_ewt-ud-{part}.conllu" for part in ("train", "dev", "test")
    }


def read(path):
    return ewt.read(ewt.found(path), path)


def test_a_folder_with_parts_is_taken_as_it_is_split(tmp_path):
    data = read(write_treebank(tmp_path))
    assert [len(part) for part in (data.train, data.validation, data.test)] == list(COUNTS.values())
    assert data.rule == "split as given: train 40, validation 8, test 8 sentences"
    assert len(data.table()) == sum(COUNTS.values())


def test_packed_or_not_the_sentences_are_the_same(tmp_path):
    folder = write_treebank(tmp_path)
    plain = read(folder)
    for path in list(folder.iterdir()):
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    packed = read(folder)
    assert [s.words for s in packed.train] == [s.words for s in plain.train]
    assert packed.digest == plain.digest


def test_a_single_file_is_split(tmp_path):
    drawn = write_sentences_file(tmp_path / "own.conllu", 20, seed=5)
    data = read(tmp_path / "own.conllu")
    assert [list(zip(s.words, s.tags, strict=True)) for s in data.validation] == [drawn[0], drawn[10]]
    assert [len(part) for part in (data.train, data.validation, data.test)] == [16, 2, 2]
    assert "of every 10 training sentences" in data.rule
    assert data.digest == hashlib.sha256((tmp_path / "own.conllu").read_bytes()).hexdigest()


def test_a_folder_without_names_of_parts_is_read_as_one_and_split(tmp_path):
    first = write_sentences_file(tmp_path / "a.conllu", 20, seed=5)
    write_sentences_file(tmp_path / "b.conllu", 10, seed=6)
    (tmp_path / "README.md").write_text("no treebank")
    data = read(tmp_path)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [24, 3, 3]
    assert data.validation[0].words == tuple(word for word, _ in first[0])


def test_several_files_of_a_part_follow_one_another(tmp_path):
    for name, count in (("x-train-a", 20), ("x-train-b", 5), ("x-dev", 3), ("x-test", 4)):
        write_sentences_file(tmp_path / f"{name}.conllu", count, seed=count)
    data = read(tmp_path)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [25, 3, 4]


def test_a_missing_part_is_held_out_from_training(tmp_path):
    for name in ("x-train", "x-test"):
        write_sentences_file(tmp_path / f"{name}.conllu", 20, seed=1)
    data = read(tmp_path)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [18, 2, 20]


def test_a_file_that_names_no_part_beside_files_that_do_is_not_passed_over(tmp_path):
    folder = write_treebank(tmp_path)
    write_sentences_file(folder / "more.conllu", 3, seed=1)
    with pytest.raises(InputError, match=r"found more\.conllu, whose name holds none of train, dev and test.* Rename"):
        read(folder)


def test_a_folder_without_a_treebank_says_what_could_be_there(tmp_path):
    with pytest.raises(
        InputError, match=r"holds no file whose name ends in \.conllu or \.conllu\.gz; expected NAME-tra"
    ):
        read(tmp_path)


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"nowhere\.conllu cannot be read: No such file or directory; expected a file of"
    ):
        read(tmp_path / "nowhere.conllu")


def test_too_few_sentences_are_not_split(tmp_path):
    write_sentences_file(tmp_path / "own.conllu", 1, seed=1)
    with pytest.raises(InputError, match=r"own\.conllu: found \d sentences to train on and none for the"):
        read(tmp_path / "own.conllu")
