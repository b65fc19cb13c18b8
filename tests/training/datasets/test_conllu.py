"""Sentences as a file of CoNLL-U has them, and what is wrong with a file."""

import gzip

import pytest

from training.datasets import conllu
from training.errors import InputError

IT_WORKS = """\
# sent_id = 1
# text = It works.
1\tIt\tit\tPRON\tPRP\tCase=Nom\t2\tnsubj\t_\t_
2\tworks\twork\tVERB\tVBZ\t_\t0\troot\t_\tSpaceAfter=No
3\t.\t.\tPUNCT\t.\t_\t2\tpunct\t_\t_

"""


def read(path, text):
    return list(conllu.sentences(path, text.encode()))


def word(number, form="x", tag="NOUN"):
    return f"{number}\t{form}\t_\t{tag}\t_\t_\t_\t_\t_\t_\n"


def test_a_sentence_has_its_words_columns_text_and_place(tmp_path):
    (found,) = read(tmp_path, IT_WORKS)
    assert found.words == ("It", "works", ".")
    assert found.tags == ("PRON", "VERB", "PUNCT")
    assert found.xpos == ("PRP", "VBZ", ".")
    assert found.feats == ("Case=Nom", "_", "_")
    assert found.deprel == ("nsubj", "root", "punct")
    assert found.text == "It works."
    assert found.where == f"{tmp_path}, line 3"


def test_an_empty_line_ends_a_sentence_and_the_last_may_lack_it(tmp_path):
    text = word(1, "a") + "\n\n" + word(1, "b") + word(2, "c")
    assert [s.words for s in read(tmp_path, text)] == [("a",), ("b", "c")]
    assert read(tmp_path, "# newdoc\n\n") == []


def test_what_is_not_written_as_a_word_of_its_own_does_not_count(tmp_path):
    text = (
        "1-2\tdon't" + "\t_" * 8 + "\n" + word(1, "do") + word(2, "n't") + "2.1\tgo" + "\t_" * 8 + "\n" + word(3, "so")
    )
    assert [s.words for s in read(tmp_path, text)] == [("do", "n't", "so")]


def test_windows_line_ends_are_no_part_of_a_line(tmp_path):
    (found,) = read(tmp_path, IT_WORKS.replace("\n", "\r\n"))
    assert (found.words[-1], found.text) == (".", "It works.")


def test_other_kinds_of_space_are_part_of_a_word(tmp_path):
    (found,) = read(tmp_path, word(1, "10\u2028000"))
    assert found.words == ("10\u2028000",)


def test_a_packed_file_is_unpacked(tmp_path):
    (tmp_path / "a.conllu.gz").write_bytes(gzip.compress(IT_WORKS.encode()))
    (tmp_path / "a.conllu").write_text(IT_WORKS)
    assert conllu.unpacked(tmp_path / "a.conllu.gz") == conllu.unpacked(tmp_path / "a.conllu") == IT_WORKS.encode()


CUT = gzip.compress(b"cut in the middle" * 9)[:-12]


@pytest.mark.parametrize("content", [b"no gzip", CUT, b""], ids=["no gzip", "cut", "empty"])
def test_a_packed_file_that_is_damaged_is_named(tmp_path, content):
    path = tmp_path / "a.conllu.gz"
    path.write_bytes(content)
    if not content:
        assert conllu.unpacked(path) == b""
        return
    with pytest.raises(InputError, match=r"a\.conllu\.gz cannot be decompressed: .*; expected .* packed by gzip"):
        conllu.unpacked(path)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (
            "2\tx\tNOUN\n",
            r"line 2: found 3 columns in '2.*'; expected 10 with tabs between them: ID, FORM, LEMMA, UPOS",
        ),
        ("2 x _ NOUN _ _ _ _ _ _\n", r"line 2: found 1 columns"),
        (
            word(3),
            r"line 2: found the ID '3'; expected 2: the words of a sentence count from 1, and an empty line ends",
        ),
        (word("x"), r"line 2: found the ID 'x'; expected 2"),
        (word(2, ""), r"line 2: found no form; expected a word in column 2"),
        (word(2, "x", "_"), r"line 2: found '_' for the word 'x'; expected its UPOS tag, such as NOUN, in column 4"),
        (word(2, "x", ""), r"line 2: found '' for the word 'x'; expected its UPOS tag"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_line(tmp_path, line, error):
    with pytest.raises(InputError, match=rf"bad\.conllu, {error}"):
        read(tmp_path / "bad.conllu", word(1) + line)


def test_bytes_that_are_no_utf_8_are_named_by_their_line(tmp_path):
    with pytest.raises(InputError, match=r"line 2: found the byte 0xff, which is not UTF-8"):
        list(conllu.sentences(tmp_path, word(1).encode() + b"2\t\xff\n"))
