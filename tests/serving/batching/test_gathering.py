import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from serving.batching.gathering import Gathering
from serving.clock import SystemClock
from serving.errors import Code, ServingError
from tests.serving.asking import wait_until


class Runs:
    """A run that gives each number's double, and notes the batches; the first one waits until it is let go."""

    def __init__(self):
        self.batches = []
        self.timeouts = []
        self.threads = []
        self.go = threading.Event()

    def __call__(self, items, timeout_ms):
        self.batches.append(list(items))
        self.timeouts.append(timeout_ms)
        self.threads.append(threading.get_ident())
        self.go.wait(30)
        if "bad" in items:
            raise ServingError("bad is bad", Code.INVALID_ARGUMENT)
        return [2 * item for item in items]


@pytest.fixture
def runs():
    return Runs()


class Callers:
    """Calls in threads, one after the other; `results` has what each gave or raised."""

    def __init__(self, gathering, runs):
        self.gathering = gathering
        self.runs = runs
        self.results = []
        self.threads = []

    def add(self, item, key="k", waits=True, **more):
        index = len(self.results)
        self.results.append(None)

        def call():
            try:
                self.results[index] = self.gathering.call(item, key, **more)
            except ServingError as error:
                self.results[index] = error

        before = self._waiting()
        self.threads.append(threading.Thread(target=call))
        batches = len(self.runs.batches)
        self.threads[-1].start()
        wait_until(lambda: self._waiting() > before if waits else len(self.runs.batches) > batches)

    def _waiting(self):
        return sum(len(lane.waiting) for lane in self.gathering._lanes.values())

    def finish(self):
        self.runs.go.set()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()
        assert self.gathering._lanes == {}
        return self.results


def test_a_lone_call_runs_on_its_own_thread(runs):
    runs.go.set()
    assert Gathering(runs, SystemClock()).call(3, "k", timeout_ms=70) == 6
    assert runs.threads == [threading.get_ident()]
    assert runs.timeouts == [70]


def test_what_gathered_while_a_batch_ran_is_the_next_batch(runs):
    callers = Callers(Gathering(runs, SystemClock()), runs)
    callers.add(1, waits=False)
    for item in (2, 3, 4):
        callers.add(item)
    assert callers.finish() == [2, 4, 6, 8]
    assert runs.batches == [[1], [2, 3, 4]]


def test_other_keys_do_not_wait_and_are_not_joined(runs):
    callers = Callers(Gathering(runs, SystemClock()), runs)
    callers.add(1, waits=False)
    callers.add(2, key="other", waits=False)
    assert callers.finish() == [2, 4]


def test_more_batches_may_run_at_once(runs):
    callers = Callers(Gathering(runs, SystemClock(), at_once=2), runs)
    callers.add(1, waits=False)
    callers.add(2, waits=False)
    callers.add(3)
    assert callers.finish() == [2, 4, 6]
    assert runs.batches == [[1], [2], [3]]


def test_a_batch_has_so_many_rows_at_most_and_none_is_overtaken(runs):
    callers = Callers(Gathering(runs, SystemClock(), most_rows=4), runs)
    callers.add(0, waits=False)
    for item, rows in ((1, 2), (2, 3), (3, 1), (4, 9)):
        callers.add(item, rows=rows)
    assert callers.finish() == [0, 2, 4, 6, 8]
    assert runs.batches == [[0], [1], [2, 3], [4]]


def test_a_bad_call_harms_only_itself(runs):
    callers = Callers(Gathering(runs, SystemClock()), runs)
    callers.add(1, waits=False)
    for item in (2, "bad", 3):
        callers.add(item)
    one, two, bad, three = callers.finish()
    assert [one, two, three] == [2, 4, 6]
    assert bad.status == "INVALID_ARGUMENT: bad is bad"
    assert runs.batches == [[1], [2, "bad", 3], [2], ["bad"], [3]]


def test_a_call_whose_time_is_over_before_its_turn_is_not_run(runs, clock):
    callers = Callers(Gathering(runs, clock), runs)
    callers.add(1, waits=False)
    callers.add(2, timeout_ms=60_000)
    callers.add(3)
    clock.now += 60_000_000
    one, late, three = callers.finish()
    assert [one, three] == [2, 6]
    assert late.status == "DEADLINE_EXCEEDED: Timed out waiting for notification"
    assert runs.batches == [[1], [3]]


def test_a_caller_does_not_wait_beyond_its_time(runs):
    gathering = Gathering(runs, SystemClock())
    callers = Callers(gathering, runs)
    callers.add(1, waits=False)
    start = time.monotonic()
    with pytest.raises(ServingError) as error:
        gathering.call(2, "k", timeout_ms=20)
    assert error.value.code is Code.DEADLINE_EXCEEDED
    assert time.monotonic() - start < 10
    assert callers.finish() == [2]
    assert runs.batches == [[1]]


def test_a_batch_may_take_as_long_as_its_latest_deadline(runs, clock):
    callers = Callers(Gathering(runs, clock), runs)
    callers.add(1, waits=False)
    callers.add(2, timeout_ms=50_000)
    callers.add(3, timeout_ms=90_000)
    clock.now += 10_000_400
    callers.finish()
    assert runs.timeouts == [None, 80_000]


def test_a_batch_with_a_call_without_deadline_has_none(runs, clock):
    callers = Callers(Gathering(runs, clock), runs)
    callers.add(1, waits=False)
    callers.add(2, timeout_ms=50_000)
    callers.add(3)
    callers.finish()
    assert runs.timeouts == [None, None]


def test_a_failed_call_lets_the_next_ones_run(runs):
    callers = Callers(Gathering(runs, SystemClock()), runs)
    callers.add("bad", waits=False)
    callers.add(2)
    bad, two = callers.finish()
    assert (bad.message, two) == ("bad is bad", 4)


def test_many_callers_each_get_their_own_answer():
    gathering = Gathering(lambda items, _: [2 * item for item in items], SystemClock(), most_rows=8)
    wrong = []

    def ask(base):
        for item in range(base, base + 300):
            if gathering.call(item, item % 3) != 2 * item:
                wrong.append(item)

    threads = [threading.Thread(target=ask, args=(1000 * n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert gathering._lanes == {}


@pytest.fixture
def executor():
    with ThreadPoolExecutor(2) as threads:
        yield threads


def begin(gathering, item, timeout_ms=None):
    """What gives the answer, and what is set when it is there."""
    there = threading.Event()
    return gathering.begin(item, "k", 1, timeout_ms, there.set), there


def test_calls_that_no_thread_waits_for_are_joined_as_others_are(runs, executor):
    gathering = Gathering(runs, SystemClock(), executor=executor)
    begun = [begin(gathering, 1)]
    wait_until(lambda: runs.batches)
    begun += [begin(gathering, item) for item in (2, 3)]
    assert not any(there.is_set() for _, there in begun)
    runs.go.set()
    assert all(there.wait(30) for _, there in begun)
    assert [take() for take, _ in begun] == [2, 4, 6]
    assert runs.batches == [[1], [2, 3]]


def test_a_begun_call_may_lead_one_that_waits_and_the_other_way_round(runs, executor):
    gathering = Gathering(runs, SystemClock(), most_rows=2, executor=executor)
    callers = Callers(gathering, runs)
    callers.add(1, waits=False)
    begun = [begin(gathering, 2)]
    callers.add(3)
    callers.add(4)
    begun.append(begin(gathering, 5))
    assert callers.finish() == [2, 6, 8]
    assert all(there.wait(30) for _, there in begun)
    assert [take() for take, _ in begun] == [4, 10]
    assert runs.batches == [[1], [2, 3], [4, 5]]


def test_a_begun_call_has_its_own_error(runs, executor):
    gathering = Gathering(runs, SystemClock(), executor=executor)
    begun = [begin(gathering, 1)]
    wait_until(lambda: runs.batches)
    begun += [begin(gathering, "bad"), begin(gathering, 2), begin(gathering, 3, timeout_ms=0)]
    runs.go.set()
    assert all(there.wait(30) for _, there in begun)
    assert [begun[index][0]() for index in (0, 2)] == [2, 4]
    with pytest.raises(ServingError, match="bad is bad"):
        begun[1][0]()
    with pytest.raises(ServingError) as late:
        begun[3][0]()
    assert late.value.code is Code.DEADLINE_EXCEEDED


def test_a_lone_begun_call_may_run_soon_where_it_was_begun_and_the_others_by_the_executor(runs, executor):
    gathering, soon, ended = (
        Gathering(runs, SystemClock(), executor=executor),
        [],
        [threading.Event() for _ in range(3)],
    )
    takes = [gathering.begin(item, "k", 1, None, ended[item].set, soon.append) for item in range(3)]
    assert len(soon) == 1
    assert not runs.batches
    runs.go.set()
    soon[0]()
    assert all(there.wait(30) for there in ended)
    assert [take() for take in takes] == [0, 2, 4]
    assert runs.batches == [[0], [1, 2]]
    assert runs.threads[0] == threading.get_ident() != runs.threads[1]
