"""Words as they are read: CMUdict, tab-separated pairs of users, and what is wrong with a file."""

import hashlib

import pytest

from tests.training.datasets.shared_data import SHARED
from training.datasets import pronunciations, sigmorphon2021
from training.errors import InputError


@pytest.mark.skipif(not (SHARED / "cmudict").is_dir(), reason="SEQZOO_DATA names no folder with CMUdict")
def test_cmudict_has_the_parts_of_g2p_seq2seq_without_stress(monkeypatch):
    monkeypatch.setenv("SEQZOO_DATA", str(SHARED))
    words = pronunciations.read(pronunciations.locate())
    parts = [words.train, words.validation, words.test]
    assert [len(part) for part in parts] == [107_143, 6303, 12_606]
    assert words.validation[0][:2] == ("'bout", (("B", "AW", "T"),))
    assert [word.spelling for word in words.test[:2]] == ["'cause", "'course"]
    assert len({phoneme for word in words.train for each in word.pronunciations for phoneme in each}) == 39
    assert words.rule == (
        "by the place of each word in the file, mod 20: train 107,143, validation 6,303, test 12,606 words"
    )


@pytest.mark.skipif(not (SHARED / "g2p-sigmorphon2021").is_dir(), reason="SEQZOO_DATA names no SIGMORPHON data")
@pytest.mark.parametrize("language", sigmorphon2021.FILES)
def test_a_training_file_of_sigmorphon_stands_for_the_parts_beside_it(language, monkeypatch):
    monkeypatch.setenv("SEQZOO_DATA", str(SHARED))
    words = pronunciations.read(sigmorphon2021.locate(language))
    assert [len(part) for part in (words.train, words.validation, words.test)] == [8000, 1000, 1000]
    if language == "dut":
        assert words.train[2][:2] == ("aalten", (("aː", "l", "t", "ə", "n"),))
    assert words.rule == "split as given: train 8,000, validation 1,000, test 1,000 words"


def test_each_file_of_sigmorphon_has_its_own_address():
    files = [file for parts in sigmorphon2021.FILES.values() for file in parts]
    assert len({file.url for file in files}) == len({file.sha256 for file in files}) == 9
    assert all(file.url.endswith(f"/data/medium/{file.name}") for file in files)


def dictionary(folder, entries):
    path = folder / "own.dict"
    path.write_text("\n".join(entries) + "\n", encoding="utf-8")
    return path


def test_a_dictionary_is_split_by_the_place_of_each_word(tmp_path):
    entries = [line for n in range(40) for line in (f"w{n} AA1 K", f"w{n}(2) AE0 K # {n}", f"w{n}(3) AA0 K")]
    words = pronunciations.read(dictionary(tmp_path, entries))
    assert [word.spelling for word in words.validation] == ["w0", "w20"]
    assert [word.spelling for word in words.test] == ["w1", "w2", "w21", "w22"]
    assert len(words.train) == 34
    assert {word.pronunciations for word in words.train} == {(("AA", "K"), ("AE", "K"))}
    assert words.train[0].where.endswith("own.dict, line 10")
    assert len(words.table()) == 80


def test_pairs_of_one_file_are_split_by_words(tmp_path):
    path = tmp_path / "own.tsv"
    path.write_text("".join(f"w{n}\ta b\nw{n}\ta c\n" for n in range(20)) + "\n")
    words = pronunciations.read(path)
    assert [word.spelling for word in words.validation] == ["w0", "w10"]
    assert [word.spelling for word in words.test] == ["w1", "w11"]
    assert words.test[0].pronunciations == (("a", "b"), ("a", "c"))
    assert "of every 10 training words" in words.rule
    assert words.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def write_parts(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.tsv").write_text(text, encoding="utf-8")


def test_a_folder_has_a_file_for_each_part(tmp_path):
    write_parts(tmp_path, nl_train="aa\taː\r\n", nl_dev="ab\tɑ p\n", nl_test="ac\tɑ k\n", notes="no pair\n")
    words = pronunciations.read(tmp_path)
    assert [part[0][:2] for part in (words.train, words.validation, words.test)] == [
        ("aa", (("aː",),)), ("ab", (("ɑ", "p"),)), ("ac", (("ɑ", "k"),)),
    ]  # fmt: skip


def test_of_several_languages_in_a_folder_one_is_to_be_named(tmp_path):
    write_parts(tmp_path, nl_train="a\tb\n", fr_train="a\tb\n")
    with pytest.raises(InputError, match=r"found fr_train.tsv, nl_train.tsv; expected one file train.tsv"):
        pronunciations.read(tmp_path)


def test_a_folder_without_a_training_file_says_what_could_be_there(tmp_path):
    with pytest.raises(InputError, match=r"found none; expected one file train.tsv"):
        pronunciations.read(tmp_path)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("spelling", r"own.tsv, line 2: found 'spelling'; expected a word, a tab and its phonemes"),
        ("word\t", r"line 2: found 'word.t'; expected a word, a tab"),
        ("\ta b", r"line 2: found '.ta b'"),
        ("word\ta\tb", r"line 2: found 'word.ta.tb'"),
    ],
)
def test_what_is_no_pair_is_named_by_file_and_line(tmp_path, line, error):
    path = tmp_path / "own.tsv"
    path.write_text(f"one\ta b\n{line}\n")
    with pytest.raises(InputError, match=error):
        pronunciations.read(path)


@pytest.mark.parametrize("line", ["word", "word # no phoneme", "word AA 1"])
def test_an_entry_without_phonemes_is_named_by_file_and_line(tmp_path, line):
    with pytest.raises(InputError, match=r"own.dict, line 2: found 'word.*expected a word and its phonemes"):
        pronunciations.read(dictionary(tmp_path, ["one W AH1 N", line]))


def test_bytes_that_are_no_utf_8_are_named_by_their_line(tmp_path):
    path = tmp_path / "own.tsv"
    path.write_bytes(b"a\tb\n\xff\tb\n")
    with pytest.raises(InputError, match=r"own.tsv, line 2: found the byte 0xff, which is not UTF-8"):
        pronunciations.read(path)


def test_a_path_that_is_nowhere_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.tsv cannot be read: No such file"):
        pronunciations.read(tmp_path / "nowhere.tsv")
