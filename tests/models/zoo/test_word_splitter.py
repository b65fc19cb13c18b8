"""The words of raw text, by hand and by the treebank that they are meant to follow."""

import pytest
import tensorflow as tf

from models.zoo.word_splitter import split_words
from tests.training.datasets.shared_data import SHARED
from training.datasets import ud_english_ewt as ewt


def split(text):
    (words,) = split_words(tf.constant([text])).to_list()
    return [word.decode() for word in words]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It works.", "It works ."),
        ("I don't know, Ann's can't!", "I do n't know , Ann 's ca n't !"),
        ("I cannot; you’re gonna.", "I can not ; you ’re gon na ."),
        ('"Really?!" he (Bob) said...', '" Really ?! " he ( Bob ) said ...'),
        ("well-known and/or e-mail", "well - known and / or e-mail"),
        ("It costs $5,000.50, or 20%.", "It costs $ 5,000.50 , or 20 % ."),
        ("at 5:30 p.m. in the U.S. with Mr. Smith", "at 5:30 p.m. in the U.S. with Mr. Smith"),
        ("See http://a.org/b?c=d, www.x.com or me@y.co.uk.", "See http://a.org/b?c=d , www.x.com or me@y.co.uk ."),
        ("thanks :-) <3 ...", "thanks :-) <3 ..."),
        ("yes,no wait--what", "yes , no wait -- what"),
        ("  It \t works\n", "It works"),
        ("東京 は 大きい。", "東京 は 大きい。"),
    ],
)
def test_words_by_hand(text, words):
    assert split(text) == words.split()


def test_texts_of_a_batch_do_not_touch_each_other():
    words = split_words(tf.constant(["It works.", "", " ", "b, c"])).to_list()
    assert words == [[b"It", b"works", b"."], [], [], [b"b", b",", b"c"]]
    assert split_words(tf.constant([], tf.string)).to_list() == []


def test_bytes_that_are_no_utf_8_stay_as_they_are():
    assert split_words(tf.constant([b"so, \xff\xfe."])).to_list() == [[b"so", b",", b"\xff\xfe."]]


def test_nothing_but_white_space_is_lost_or_added():
    text = "\"Well,\" she'd said - 'tis (a) [b] {c} <d>: 1/2, x@y.z; $3.50%... #1! *so* ~ ^_^ €5 “q” ‘r’ …"
    assert "".join(split(text)) == "".join(text.split())


@pytest.mark.skipif(not (SHARED / "ud-english-ewt").is_dir(), reason="SEQZOO_DATA names no folder with UD English EWT")
def test_most_words_of_the_treebank_are_found_in_its_text(monkeypatch):
    monkeypatch.setenv("SEQZOO_DATA", str(SHARED))
    sentences = ewt.read({"train": [ewt.locate()["validation"][0]]}, SHARED).train
    found = split_words(tf.constant([s.text for s in sentences])).to_list()
    right = expected = given = 0
    for sentence, words in zip(sentences, found, strict=True):
        mine, theirs = places([w.decode() for w in words]), places(sentence.words)
        right, expected, given = right + len(mine & theirs), expected + len(theirs), given + len(mine)
    assert 2 * right / (expected + given) > 0.98


def places(words):
    """Where each word begins and ends, in characters without white space."""
    ends, end = set(), 0
    for word in words:
        begin, end = end, end + len("".join(word.split()))
        ends.add((begin, end))
    return ends
