import random

import pytest

from serving.streams.growing import GrowingText


def pieces(text, stops=(), size=1):
    """What is sent while the text grows by so many bytes at a time; ends where a stop string comes."""
    content, growing, sent = text if isinstance(text, bytes) else text.encode(), GrowingText(stops), []
    for end in range(size, len(content) + size, size):
        more, stopped = growing.grow(content[:end], end >= len(content))
        sent.append(more)
        if stopped:
            break
    return sent


def test_bytes_of_an_unfinished_character_wait():
    assert pieces("aß€😀") == ["a", "", "ß", "", "", "€", "", "", "", "😀"]


def test_what_may_become_a_stop_string_waits():
    assert pieces("abcabd", ["abd"]) == ["", "", "abc", "", "", ""]
    assert pieces("abab", ["abc"]) == ["", "", "ab", "ab"]
    assert pieces("x\n\ny", ["\n\n"]) == ["x", "", ""]


def test_a_stop_string_within_one_piece_cuts_it():
    assert pieces("one two three", [" t"], size=20) == ["one"]


@pytest.mark.parametrize("seed", range(20))
def test_however_it_comes_the_text_is_what_stands_before_the_first_stop(seed):
    rng = random.Random(seed)
    text = "".join(rng.choices("abä€", k=60))
    stops = ["".join(rng.choices("abä€", k=rng.randint(1, 4))) for _ in range(rng.randint(0, 3))]
    places = [text.find(stop) for stop in stops if stop in text]
    sent = pieces(text, stops, rng.randint(1, 7))
    assert "".join(sent) == text[: min(places, default=len(text))]


def test_a_replacement_character_waits_for_what_follows():
    growing = GrowingText()
    assert growing.grow("a\ufffd".encode(), False) == ("a", False)
    assert growing.grow("aß".encode(), False) == ("ß", False)
    assert growing.grow("aß\ufffd".encode(), False) == ("", False)
    assert growing.grow("aß\ufffd".encode(), True) == ("\ufffd", False)


def test_a_decoder_that_changes_its_mind_sends_nothing_until_it_agrees_again():
    growing = GrowingText()
    assert growing.grow(b"I am", False) == ("I am", False)
    assert growing.grow(b"I'm", False) == ("", False)
    assert growing.grow(b"I am here", False) == (" here", False)


def test_bytes_that_are_no_text_are_replaced():
    assert "".join(pieces(b"a\xff\xfeb")) == "a\ufffd\ufffdb"
