"""Steps that say which they are: a repeat gets the answer that was kept, and is not counted again."""

import numpy as np

from tests.serving.asking import refused
from tests.serving.sequences.driving import UNKNOWN, sums
from tests.serving.sequences.models import chunk


def test_a_repeat_gets_the_kept_answer_and_is_not_counted_again(step, new):
    a, b, c = chunk(1, 2, 1)
    first = step.start(a, new, step=0)
    assert first["sequence_step"].tolist() == [0]
    assert first["sequence_step"].dtype == np.int64
    for again in (step.start(a, new, step=0), step.start(b, new, step=0)):  # inputs are not compared
        np.testing.assert_array_equal(again["y"], first["y"])
    second = step(b, new, step=1)
    again = step(b, new, step=1)
    assert {alias: array.tolist() for alias, array in again.items()} == {
        alias: array.tolist() for alias, array in second.items()
    }
    np.testing.assert_array_equal(step(c, new, step=2)["y"], sums(a, b, c))
    text = f"Sequence {new}: step 0 does not follow step 2"
    assert refused(step, a, new, step=0) == ("FAILED_PRECONDITION", text)
    text = f"Sequence {new}: step 4 does not follow step 2"
    assert refused(step, a, new, step=4) == ("FAILED_PRECONDITION", text)
    assert refused(step.start, a, new, step=0) == ("ALREADY_EXISTS", "Sequence with provided ID already exists")
    last = step.end(c, new, step=3)
    np.testing.assert_array_equal(step.end(c, new, step=3)["y"], last["y"])
    assert refused(step, c, new, step=3) == UNKNOWN
    assert refused(step, c, new, step=4) == UNKNOWN
    np.testing.assert_array_equal(step.start(c, new, step=0)["y"], sums(c))
    assert refused(step.end, c, new, step=3)[0] == "FAILED_PRECONDITION"


def test_steps_without_index_count_but_are_not_kept(step, new):
    a, b, c = chunk(1, 1, 1)
    step.start(a, new)
    step(b, new)
    text = f"Sequence {new}: the answer of step 1 was not kept"
    assert refused(step, b, new, step=1) == ("FAILED_PRECONDITION", text)
    np.testing.assert_array_equal(step(c, new, step=2)["y"], sums(a, b, c))
    step(c, new)
    text = f"Sequence {new}: step 2 does not follow step 3"
    assert refused(step, c, new, step=2) == ("FAILED_PRECONDITION", text)


def test_a_start_has_the_index_0(step, new):
    text = f"Sequence {new}: step 2 does not follow step -1"
    assert refused(step.start, chunk(1)[0], new, step=2) == ("FAILED_PRECONDITION", text)


def test_an_end_without_inputs_can_be_repeated_too(step, new):
    step.start(chunk(1)[0], new, step=0)
    assert step.end(sequence=new, step=1)["sequence_step"].tolist() == [1]
    assert step.end(sequence=new, step=1)["sequence_step"].tolist() == [1]
    assert refused(step.end, None, new) == UNKNOWN


def test_where_ended_ones_are_not_retained_a_repeat_finds_nothing(ask_model, new):
    wider = ask_model("wider")
    (a,) = chunk(1, features=3)
    wider.start(a, new, step=0)
    wider.end(a, new, step=1)
    assert refused(wider.end, a, new, step=1) == UNKNOWN
