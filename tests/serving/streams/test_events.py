from collections import deque

from serving.errors import DeadlineExceededError
from serving.streams.events import GONE, MOST_WAITING, Outbox, Token

EVENT = Token("a", 0)


def test_events_are_taken_in_the_order_in_which_they_were_put():
    woken = []
    outbox = Outbox(lambda: woken.append(True))
    for index in range(3):
        outbox.put(Token("a", index))
    assert [event.index for event in outbox.take()] == [0, 1, 2]
    assert outbox.take() == []
    assert outbox.empty
    assert len(woken) == 3


def test_a_maker_that_found_no_room_is_told_when_there_is_some():
    outbox, told = Outbox(lambda: None), []
    outbox.changed = lambda: told.append(outbox.has_room())
    for _ in range(MOST_WAITING):
        assert outbox.has_room()
        outbox.put(EVENT)
    assert not outbox.has_room()
    outbox.take()
    assert told == [True]
    outbox.take()
    assert told == [True]


def test_a_maker_is_told_also_when_the_room_ends_while_events_are_taken():
    outbox, told, found = Outbox(lambda: None), [], []
    outbox.changed = lambda: told.append(True)

    class Meanwhile(deque):
        """The maker puts the event that fills the outbox while the first one is being taken."""

        def popleft(self):
            if not found:
                outbox.put(EVENT)
                found.append(outbox.has_room())
            return super().popleft()

    outbox._events = Meanwhile([EVENT] * (MOST_WAITING - 1))
    assert len(outbox.take()) == MOST_WAITING
    assert found == [False]
    assert told == [True]


def test_closing_tells_both_sides():
    told = []
    outbox = Outbox(lambda: told.append("taker"))
    outbox.changed = lambda: told.append("maker")
    outbox.close(GONE)
    assert outbox.closed is GONE
    assert sorted(told) == ["maker", "taker"]


def test_the_first_reason_for_closing_counts():
    outbox, late = Outbox(lambda: None), DeadlineExceededError("late")
    outbox.close(late)
    outbox.close(GONE)
    assert outbox.closed is late
