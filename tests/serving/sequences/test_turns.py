import threading

import pytest

from serving.errors import ServingError
from serving.sequences.store import Key
from serving.sequences.turns import Turns
from tests.serving.asking import wait_until

KEY = Key("m", 1)


class Lined:
    """Calls of one sequence in threads; each goes on when it is told to."""

    def __init__(self):
        self.turns = Turns()
        self.order = []
        self.threads = []
        self.refused = {}

    def call(self, name, **more):
        inside, go = threading.Event(), threading.Event()

        def run():
            try:
                with self.turns.turn(KEY, most_waiting=8, **more):
                    self.order.append(name)
                    inside.set()
                    assert go.wait(30)
            except ServingError as error:
                self.refused[name] = error.status

        thread = threading.Thread(target=run)
        self.threads.append(thread)
        thread.start()
        return inside, go

    def waiting(self):
        line = self.turns._lines.get(KEY)
        return 0 if line is None else len(line.waiting)

    def queued(self, name, **more):
        """A call that has to wait."""
        before = self.waiting()
        found = self.call(name, **more)
        wait_until(lambda: self.waiting() == before + 1)
        return found

    def join(self):
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()
        assert not self.turns._lines


def test_calls_come_in_the_order_of_their_arrival_one_at_a_time():
    lined = Lined()
    calls = [lined.call("a")]
    calls[0][0].wait(30)
    calls += [lined.queued(name) for name in "bcd"]
    for inside, go in calls:
        assert inside.wait(30)
        assert lined.order[-1] == "abcd"[calls.index((inside, go))]
        go.set()
    lined.join()


def test_too_many_that_wait_are_refused():
    turns = Turns()
    with turns.turn(KEY), pytest.raises(ServingError) as refused, turns.turn(KEY, most_waiting=0):
        pass
    assert refused.value.status == "RESOURCE_EXHAUSTED: Sequence 1 has 0 requests waiting, which is the limit"
    with turns.turn(KEY):
        pass


def test_a_call_that_is_late_is_not_run_and_those_after_it_are():
    lined = Lined()
    first = lined.call("a")
    first[0].wait(30)
    lined.queued("late", seconds=0.01)
    last = lined.queued("b") if lined.waiting() else lined.call("b")
    wait_until(lambda: "late" in lined.refused)
    first[1].set()
    last[1].set()
    lined.join()
    assert lined.order == ["a", "b"]
    assert lined.refused == {"late": "DEADLINE_EXCEEDED: Timed out waiting for notification"}


def test_a_call_whose_client_has_gone_while_it_waited_is_not_run():
    lined = Lined()
    first = lined.call("a")
    first[0].wait(30)
    lined.queued("gone", gone=lambda: True)
    last = lined.queued("b")
    first[1].set()
    last[1].set()
    lined.join()
    assert lined.order == ["a", "b"]
    assert lined.refused["gone"].startswith("CANCELLED")


def test_while_an_end_waits_no_call_comes_after_it():
    lined = Lined()
    first = lined.call("a")
    first[0].wait(30)
    ending = lined.queued("end", ends=True, step=4)
    lined.call("step")
    lined.call("start", starts=True)
    lined.call("other end", ends=True, step=5)
    wait_until(lambda: len(lined.refused) == 3)
    repeat = lined.queued("repeat", ends=True, step=4)
    for _, go in (first, ending, repeat):
        go.set()
    lined.join()
    unknown = "NOT_FOUND: Sequence with provided ID does not exist"
    assert lined.refused == {
        "step": unknown,
        "other end": unknown,
        "start": "FAILED_PRECONDITION: Sequence last request is being processed and it's not available anymore",
    }
    assert lined.order == ["a", "end", "repeat"]


def test_after_an_end_that_failed_the_sequence_goes_on():
    lined = Lined()
    first = lined.call("end", ends=True, step=None)
    first[0].wait(30)
    lined.call("refused")
    wait_until(lambda: "refused" in lined.refused)
    with pytest.raises(ValueError, match="run"), lined.turns.turn(Key("m", 2), ends=True):
        raise ValueError("run")
    first[1].set()
    lined.join()
    with lined.turns.turn(KEY), lined.turns.turn(Key("m", 2)):
        pass


def test_the_turn_can_be_tried():
    turns = Turns()
    with turns.turn(KEY):
        assert not turns.try_enter(KEY)
    assert turns.try_enter(KEY)
    turns.leave(KEY)
    assert not turns._lines


def test_a_call_keeps_its_place_while_it_waits_for_a_thread():
    lined = Lined()
    places = [lined.turns.arrive(KEY) for _ in "ab"]
    assert not lined.turns.try_enter(KEY)
    second = lined.call("b", place=places[1])
    wait_until(lambda: places[1].entered)
    third = lined.call("c", place=lined.turns.arrive(KEY))
    first = lined.call("a", place=places[0])
    assert first[0].wait(30)
    for _, go in (first, second, third):
        go.set()
    lined.join()
    assert lined.order == ["a", "b", "c"]


def test_a_place_that_is_withdrawn_before_its_thread_comes_holds_nobody_up():
    lined = Lined()
    first, second = lined.turns.arrive(KEY), lined.turns.arrive(KEY)
    lined.turns.withdraw(first)
    inside, go = lined.call("b", place=second)
    assert inside.wait(30)
    lined.turns.withdraw(second)  # its thread gives the turn back
    assert not lined.turns.try_enter(KEY)
    go.set()
    lined.join()
    lined.call("late", place=first)
    lined.join()
    assert lined.order == ["b"]
    assert lined.refused["late"].startswith("CANCELLED")


def test_a_call_without_a_place_waits_for_none_that_has_no_thread():
    lined = Lined()
    places = [lined.turns.arrive(KEY) for _ in "ab"]
    waits = lined.call("b", place=places[1])
    wait_until(lambda: places[1].entered)
    for name in "xy":
        inside, go = lined.call(name)
        assert inside.wait(30)
        go.set()
        wait_until(lambda: lined.turns._lines[KEY].at_work is places[0])
    last = lined.call("a", place=places[0])
    for _, go in (waits, last):
        go.set()
    lined.join()
    assert lined.order == ["x", "y", "a", "b"]


def test_a_place_of_another_sequence_is_given_back():
    lined = Lined()
    place = lined.turns.arrive(Key("m", 2))
    _, go = lined.call("a", place=place)
    wait_until(lambda: lined.turns.try_enter(Key("m", 2)))
    lined.turns.leave(Key("m", 2))
    go.set()
    lined.join()


def test_an_end_shuts_out_only_those_that_came_after_it():
    lined = Lined()
    places = dict(zip(("before", "end", "after"), (lined.turns.arrive(KEY) for _ in range(3)), strict=True))
    ending = lined.call("end", place=places["end"], ends=True)
    wait_until(lambda: places["end"].entered)
    lined.call("after", place=places["after"])
    wait_until(lambda: "after" in lined.refused)
    before = lined.call("before", place=places["before"])
    for _, go in (ending, before):
        go.set()
    lined.join()
    assert lined.order == ["before", "end"]
    assert lined.refused["after"].startswith("NOT_FOUND")


def test_those_before_it_count_as_waiting():
    turns = Turns()
    first, second, third = (turns.arrive(KEY) for _ in range(3))
    with pytest.raises(ServingError) as refused, turns.turn(KEY, most_waiting=1, place=third):
        pass
    assert refused.value.status == "RESOURCE_EXHAUSTED: Sequence 1 has 1 requests waiting, which is the limit"
    with turns.turn(KEY, place=first):
        pass
    with turns.turn(KEY, place=second):
        pass
    assert not turns._lines
