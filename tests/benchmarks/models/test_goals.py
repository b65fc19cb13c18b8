"""What is held and what is missed, on made-up rows."""

import pytest

from benchmarks.models.goals import MUST, STRICTER, TARGETS
from benchmarks.models.ratios import comparison
from tests.benchmarks.models.made_up import grown, mib, row, timed

KERAS, TORCH, MEAN, MEMORY, GROWTH = MUST
MET, TRAINING = TARGETS
ALIKE, NAMED = STRICTER


def misses(goal, *rows):
    return [str(miss) for miss in goal.verdict(list(rows))[1]]


def test_a_goal_that_no_row_can_tell_of_is_not_measured():
    for goal in (*MUST, *TARGETS, *STRICTER):
        assert goal.verdict([]) == ("not measured", [])
    assert TORCH.verdict([timed(1.0, 2.0)])[0] == "not measured"


def test_every_row_of_time_is_held_against_keras():
    rows = [timed(1.0, 1.0), timed(1.25, 1.0, part="steps", kind="GRU", task="step", sizes=(1, 1, 64, 64))]
    assert KERAS.verdict(rows[:1]) == ("held", [])
    assert misses(KERAS, *rows) == ["GRU one step (1, 1, 64, 64): 0.8, asked 1"]
    rows = [timed(4.0, 2.0, part="train", task="train")]
    assert misses(KERAS, *rows) == ["LSTM training step of the classifier (1, 64, 64, 64): 0.5, asked 1"]


def test_the_first_call_is_held_against_nobody():
    assert KERAS.verdict([timed(9.0, 1.0, 1.0, part="first_calls")])[0] == "not measured"


def test_a_miss_within_the_spread_says_so():
    row = timed(1.25, 1.0)
    row["times_keras"]["high"] = 1.02
    assert misses(KERAS, row) == ["LSTM forward (1, 64, 64, 64): 0.8, asked 1 (within the spread)"]


def test_a_row_may_be_slower_than_torch_but_not_by_much():
    assert misses(TORCH, timed(1.0, 9.0, 0.56)) == []
    assert misses(TORCH, timed(1.0, 9.0, 0.5)) == ["LSTM forward (1, 64, 64, 64): 0.5, asked 0.55"]


def test_the_mean_over_lstm_and_vanilla_rnn_leaves_the_gru_out():
    rows = [timed(1.0, 9.0, 1.0), timed(1.0, 9.0, 4.0, kind="VanillaRNN"), timed(1.0, 9.0, 0.01, kind="GRU")]
    assert MEAN.verdict(rows) == ("held", [])
    assert misses(MEAN, *rows[:1]) == ["LSTM and VanillaRNN, forward and gradients: 1, asked 1.2"]


def test_memory_is_compared_like_with_like():
    assert misses(MEMORY, mib(ours=30, ours_compiled=90, keras=30, keras_compiled=100)) == []
    found = misses(MEMORY, mib(ours=45, ours_compiled=90, keras=30, keras_compiled=100))
    assert found == ["LSTM gradients (1, 64, 64, 64), ours: 1.5, asked 1"]


def test_growth_compares_each_row_with_the_one_before_of_the_same_doubling():
    rows = [
        grown("time", (32, 100, 8, 8), 1.0, 50),
        grown("time", (32, 200, 8, 8), 2.0, 120),
        grown("batch", (32, 100, 8, 8), 9.0, 900),
        grown("batch", (64, 100, 8, 8), 27.0, 900),
    ]
    assert misses(GROWTH, *rows) == [
        "LSTM gradients (32, 200, 8, 8), memory with time doubled: 2.4, asked 2",
        "LSTM gradients (64, 100, 8, 8), time with batch doubled: 3, asked 2",
    ]


@pytest.mark.parametrize(
    ("where", "asked"),
    [
        ({"sizes": (16, 64, 128, 128)}, False),
        ({"sizes": (1, 64, 128, 128)}, True),
        ({"sizes": (16, 64, 128, 128), "task": "gradients"}, True),
        ({"sizes": (16, 64, 128, 128), "kind": "GRU"}, True),
    ],
)
def test_torch_is_to_be_met_but_by_the_lstm_forward_with_a_large_batch(where, asked):
    assert bool(misses(MET, timed(2.0, 9.0, 1.0, **where))) == asked


def test_training_is_the_lstm_forward_and_backward():
    slow_forward, training = timed(9.0, 9.0, 1.0), timed(1.0, 9.0, 1.1, task="gradients")
    assert TRAINING.verdict([slow_forward, training]) == ("held", [])
    assert misses(TRAINING, timed(2.0, 9.0, 1.0, task="gradients")) == ["LSTM gradients: 0.5, asked 1"]


def called(ours, keras, alike):
    """A row of inference: our called form at `ours`, the same form called as Keras is at `alike`."""
    rounds = {"ours": [alike * 3], "ours compiled": [alike], "ours called": [ours], "keras": [keras]}
    return {**row(), **comparison(rounds), "rounds": rounds}


def test_called_alike_judges_what_both_have():
    assert KERAS.verdict([called(0.25, 1.0, alike=2.0)])[0] == "held", "by the call alone"
    assert misses(ALIKE, called(0.25, 1.0, alike=2.0)) == ["LSTM forward (1, 64, 64, 64): 0.5, asked 1"]
    assert misses(ALIKE, called(0.25, 1.0, alike=0.5)) == []


def test_called_alike_judges_rows_in_which_nobody_is_called_too():
    assert misses(ALIKE, timed(1.25, 1.0, task="gradients")) == ["LSTM gradients (1, 64, 64, 64): 0.8, asked 1"]


def test_an_older_run_that_does_not_tell_of_calls_alike_is_not_judged_by_its_called_form():
    older = called(0.25, 1.0, alike=2.0)
    del older["times_keras_called_alike"]
    assert ALIKE.verdict([older]) == ("not measured", [])


def memory_of(ours, halves, keras, **where):
    peaks = {"ours": ours, "ours compiled": ours, "ours halves": halves, "keras": keras, "keras compiled": keras * 3}
    figures = {name: {"median": peak, "low": peak, "high": peak} for name, peak in peaks.items()}
    return row("memory", mib=figures, **where)


def fastest_in_halves(**where):
    rounds = {"ours": [4.0], "ours halves": [1.0], "keras": [2.0], "keras compiled": [3.0]}
    return {**row(**where), **comparison(rounds), "rounds": rounds}


def test_memory_is_that_of_the_forms_that_the_row_of_speed_names():
    speed, memory = fastest_in_halves(task="gradients"), memory_of(30, 90, 60, task="gradients")
    assert misses(MEMORY, speed, memory) == [], "like with like: 30 of 60"
    assert misses(NAMED, speed, memory) == ["LSTM gradients (1, 64, 64, 64), ours halves against keras: 1.5, asked 1"]
    assert NAMED.verdict([speed, memory_of(30, 60, 60, task="gradients")]) == ("held", [])


def test_memory_of_the_classifier_goes_with_its_training_step():
    speed, memory = fastest_in_halves(part="train", task="train"), memory_of(30, 90, 60, task="train")
    assert len(misses(NAMED, speed, memory)) == 1


def test_memory_without_a_row_of_speed_for_its_case_is_not_judged():
    other = fastest_in_halves(task="gradients", sizes=(2, 64, 64, 64))
    assert NAMED.verdict([other, memory_of(30, 90, 60, task="gradients")]) == ("not measured", [])
    assert NAMED.verdict([fastest_in_halves(task="gradients")]) == ("not measured", [])
    unmeasured = mib(ours=30, keras=20)
    assert NAMED.verdict([fastest_in_halves(task="gradients"), unmeasured]) == ("not measured", [])
