"""Taking turns, on a clock that the calls themselves move."""

import gc

from benchmarks.models.measuring import first_calls, interleaved


class Clock:
    """Seconds that pass only when a call says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def taking(self, milliseconds, log=None, name=None):
        """A call that takes so long; a list is used up, one for each call."""

        def call():
            if log is not None:
                log.append(name)
            self.now += (milliseconds.pop(0) if isinstance(milliseconds, list) else milliseconds) / 1e3

        return call


def test_each_contender_has_a_number_for_each_round():
    clock = Clock()
    calls = {"slow": clock.taking(8.0), "fast": clock.taking(2.0)}
    found = interleaved(calls, rounds=3, seconds=0.02, clock=clock)
    assert {name: [round(ms, 9) for ms in times] for name, times in found.items()} == {
        "slow": [8.0] * 3,
        "fast": [2.0] * 3,
    }


def test_a_turn_is_as_many_calls_as_fit_but_three_at_least():
    clock, log = Clock(), []
    calls = {"slow": clock.taking(50.0, log, "slow"), "fast": clock.taking(2.0, log, "fast")}
    interleaved(calls, rounds=0, seconds=0.02, clock=clock)
    before = len(log)
    log.clear()
    interleaved(calls, rounds=1, seconds=0.02, clock=clock)
    turns = log[before:]
    assert turns == ["slow"] * (1 + 3) + ["fast"] * (1 + 10)  # one call that is not counted in front of each turn


def test_every_other_round_runs_backwards():
    clock, log = Clock(), []
    calls = {name: clock.taking(1.0, log, name) for name in "ABC"}
    interleaved(calls, rounds=2, seconds=0.003, clock=clock)
    turns = "".join(log)[-2 * 3 * 4 :]
    assert turns == "AAAABBBBCCCC" + "CCCCBBBBAAAA"


def test_one_disturbed_call_does_not_move_its_round():
    clock = Clock()
    times = [1.0] * 4 + [1.0, 900.0, 1.0, 1.0]  # three before the rounds, then one that is not counted, then the turn
    found = interleaved({"A": clock.taking(times)}, rounds=1, seconds=0.003, clock=clock)
    assert [round(ms, 9) for ms in found["A"]] == [1.0]


def test_garbage_is_collected_between_turns_only():
    seen = []
    interleaved({"A": lambda: seen.append(gc.isenabled())}, rounds=1, seconds=0, clock=Clock())
    assert seen[-3:] == [False] * 3
    assert gc.isenabled()


def test_a_first_call_is_that_of_a_fresh_contender_without_its_making():
    clock = Clock()

    def maker(first, making):
        def make():
            clock.now += making
            return clock.taking([first, 1.0])

        return make

    found = first_calls({"A": maker(70.0, 5.0), "B": maker(30.0, 5.0)}, rounds=2, clock=clock)
    assert {name: [round(ms, 9) for ms in times] for name, times in found.items()} == {"A": [70.0] * 2, "B": [30.0] * 2}
