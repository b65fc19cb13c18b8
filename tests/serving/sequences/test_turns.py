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

    def call(self, name, then=None, **more):
        inside, go = threading.Event(), threading.Event()

        def run():
            try:
                with self.turns.turn(KEY, most_waiting=8, **more) as line:
                    self.order.append(name)
                    inside.set()
                    assert go.wait(30)
                    if then is not None:
                        then(line)
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


def end(line):
    line.ended = True


def test_while_an_end_waits_no_call_comes_after_it():
    lined = Lined()
    first = lined.call("a")
    first[0].wait(30)
    ending = lined.queued("end", then=end, ends=True, step=4)
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
