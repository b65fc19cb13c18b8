import pytest

from serving.client_error import ClientError
from serving.errors import Code
from serving.retrying import Retrying


class Calls:
    """A call that fails with these codes before it succeeds, and time that passes only in pauses and tries."""

    def __init__(self, *codes, seconds_each=0.0):
        self.codes = list(codes)
        self.seconds_each = seconds_each
        self.now = 0.0
        self.pauses = []
        self.given = []

    def __call__(self, seconds):
        self.given.append(seconds)
        self.now += self.seconds_each
        if self.codes:
            raise ClientError(f"try {len(self.given)}", self.codes.pop(0))
        return "answer"

    def pause(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def asked(self, seconds=30.0, chance=1.0, **options):
        return Retrying(self.pause, lambda: self.now, lambda: chance).ask(self, seconds, **options)


def test_what_is_answered_is_not_asked_again():
    calls = Calls()
    assert calls.asked() == "answer"
    assert (calls.given, calls.pauses) == ([30.0], [])


def test_pauses_double_and_each_try_gets_what_is_left():
    calls = Calls(*[Code.UNAVAILABLE] * 3)
    assert calls.asked(seconds=10.0) == "answer"
    assert calls.pauses == pytest.approx([0.1, 0.2, 0.4])
    assert calls.given == pytest.approx([10.0, 9.9, 9.7, 9.3])


def test_chance_makes_a_pause_up_to_half_as_long():
    calls = Calls(*[Code.UNAVAILABLE] * 3)
    calls.asked(chance=0.0)
    assert calls.pauses == pytest.approx([0.05, 0.1, 0.2])


def test_no_pause_is_longer_than_two_seconds():
    calls = Calls(*[Code.UNAVAILABLE] * 8)
    calls.asked(retries=8)
    assert calls.pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0])


def test_the_last_error_is_raised_when_the_retries_are_used_up():
    calls = Calls(*[Code.UNAVAILABLE] * 9)
    with pytest.raises(ClientError, match="try 4") as error:
        calls.asked()
    assert error.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize("code", [code for code in Code if code not in (Code.OK, Code.UNAVAILABLE)])
def test_every_other_error_is_raised_at_once(code):
    calls = Calls(code)
    with pytest.raises(ClientError, match="try 1"):
        calls.asked()
    assert calls.pauses == []


def test_no_try_begins_when_the_deadline_would_pass_in_the_pause():
    calls = Calls(*[Code.UNAVAILABLE] * 9)
    with pytest.raises(ClientError, match="try 2"):
        calls.asked(seconds=0.25)  # pauses of .1 and .2
    assert calls.now <= 0.25


def test_the_time_of_the_tries_counts():
    calls = Calls(*[Code.UNAVAILABLE] * 9, seconds_each=4.0)
    with pytest.raises(ClientError, match="try 2"):
        calls.asked(seconds=8.2)


def test_no_retries_leave_one_try():
    calls = Calls(Code.UNAVAILABLE)
    with pytest.raises(ClientError, match="try 1"):
        calls.asked(retries=0)
