import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2

from serving.batching.ragged import Extent, NotCutError, cut, layout, pad, stack
from serving.errors import ServingError
from serving.signature import Signature, Slot

FLOAT, INT32, INT64, STRING = (getattr(types_pb2, f"DT_{name}") for name in ("FLOAT", "INT32", "INT64", "STRING"))


def signature(inputs, outputs):
    """alias -> (dtype, shape); tensors are called as their aliases."""
    slots = [{alias: Slot(alias, alias, *found) for alias, found in sorted(part.items())} for part in (inputs, outputs)]
    return Signature("step", "predict", *slots)


STEP = signature(
    {"x": (FLOAT, (-1, -1, 2)), "lengths": (INT64, (-1,)), "state_h": (FLOAT, (-1, 3)), "user": (STRING, (-1,))},
    {"y": (FLOAT, (-1, -1, 2)), "state_h": (FLOAT, (-1, 3))},
)


def request(rows, time, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "lengths": rng.integers(0, time + 1, rows),
        "state_h": rng.normal(size=(rows, 3)).astype(np.float32),
        "user": np.array([b"user"] * rows, object),
        "x": rng.normal(size=(rows, time, 2)).astype(np.float32),
    }


def test_a_layout_knows_the_time_axis_from_the_declared_shapes():
    found = layout(STEP)
    assert (found.lengths, found.lengths_dtype) == ("lengths", np.int64)
    assert (found.timed_inputs, found.timed_outputs) == ({"x"}, {"y"})
    assert (found.joins, found.pads) == (True, True)


@pytest.mark.parametrize(
    ("inputs", "outputs", "lengths", "joins", "pads"),
    [
        ({"x": (FLOAT, (-1, -1))}, {"y": (FLOAT, (-1,))}, None, True, False),
        ({"x": (FLOAT, (-1, -1)), "lengths": (FLOAT, (-1,))}, {"y": (FLOAT, (-1,))}, None, True, False),
        ({"x": (FLOAT, (-1, 8)), "lengths": (INT32, (-1,))}, {"y": (FLOAT, (-1,))}, None, True, False),
        ({"x": (FLOAT, (-1, -1)), "lengths": (INT32, (-1,))}, {"y": (FLOAT, ())}, "lengths", False, True),
        ({"x": (FLOAT, (-1, -1)), "lengths": (INT32, (-1,))}, {"y": (FLOAT, None)}, "lengths", False, True),
        ({"x": (FLOAT, (-1, -1)), "lengths": (INT32, (-1,)), "k": (INT32, ())}, {}, "lengths", False, True),
        ({"x": (FLOAT, (-1, -1)), "lengths": (INT32, (-1,))}, {"y": (FLOAT, (-1, -1, -1))}, "lengths", True, False),
    ],
)
def test_what_is_joined_and_padded_is_told_by_dtypes_and_shapes(inputs, outputs, lengths, joins, pads):
    found = layout(signature(inputs, outputs))
    assert (found.lengths, found.joins, found.pads) == (lengths, joins, pads)


def test_absent_lengths_are_the_time_of_the_data():
    feeds = request(2, 5)
    del feeds["lengths"]
    filled = layout(STEP).filled(feeds)
    assert filled["lengths"].dtype == np.int64
    assert filled["lengths"].tolist() == [5, 5]
    assert list(filled) == sorted(filled)
    assert layout(STEP).filled(filled) is filled


def test_lengths_cannot_be_filled_in_where_the_times_differ():
    two = signature({"a": (FLOAT, (-1, -1)), "b": (FLOAT, (-1, -1)), "lengths": (INT32, (-1,))}, {})
    with pytest.raises(ServingError, match=r"has no lengths.*a \[1, 2\], b \[1, 3\]\. Give"):
        layout(two).filled({"a": np.zeros((1, 2)), "b": np.zeros((1, 3))})


def test_requests_of_any_length_have_one_key_where_they_can_be_padded():
    found = layout(STEP)
    assert found.key(request(1, 3)) == found.key(request(4, 9)) is not None
    other = {**request(1, 3), "state_h": np.zeros((1, 4), np.float32)}
    assert found.key(other) not in (None, found.key(request(1, 3)))


@pytest.mark.parametrize(
    "change",
    [
        {"lengths": np.array([4])},
        {"lengths": np.array([-1])},
        {"lengths": np.array(3)},
        {"lengths": np.array([1, 2])},
        {"x": np.zeros((1, 0, 2), np.float32), "lengths": np.array([0])},
        {"x": np.zeros(3, np.float32)},
        {"x": np.zeros((2, 3, 2), np.float32)},
    ],
)
def test_what_the_graph_may_refuse_runs_alone(change):
    assert layout(STEP).key({**request(1, 3), **change}) is None
    assert layout(STEP).key(request(0, 3)) is None


def test_without_lengths_only_equal_shapes_have_one_key():
    found = layout(signature({"x": (FLOAT, (-1, -1))}, {"y": (FLOAT, (-1, -1))}))
    assert found.key({"x": np.zeros((1, 3))}) == found.key({"x": np.zeros((2, 3))})
    assert found.key({"x": np.zeros((1, 3))}) != found.key({"x": np.zeros((1, 4))})


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6)), min_size=1, max_size=6), st.booleans())
def test_what_is_stacked_is_cut_apart_again(sizes, larger):
    found = layout(STEP)
    requests = [request(rows, time, seed) for seed, (rows, time) in enumerate(sizes)]
    rows, time = sum(rows for rows, _ in sizes), max(time for _, time in sizes)
    more = {"rows": rows + 3, "time": time + 2} if larger else {}
    stacked = stack(found, requests, **more)
    assert stacked["x"].shape == (rows + 3 * larger, time + 2 * larger, 2)
    assert set(stacked["user"][rows:]) <= {b""}
    assert {name: array.dtype for name, array in stacked.items()} == {n: a.dtype for n, a in requests[0].items()}
    extents = [found.extent(feeds) for feeds in requests]
    answers = cut(found, ["y", "state_h"], [stacked["x"], stacked["state_h"]], extents, **more)
    for feeds, (y, state) in zip(requests, answers, strict=True):
        assert np.array_equal(y, feeds["x"])
        assert np.array_equal(state, feeds["state_h"])
    assert np.count_nonzero(stacked["x"]) == sum(np.count_nonzero(feeds["x"]) for feeds in requests)


def test_nothing_is_copied_for_one_request_that_fits():
    feeds = request(2, 3)
    assert stack(layout(STEP), [feeds])["x"] is feeds["x"]
    assert pad(feeds["x"], (2, 3, 2)) is feeds["x"]


def test_outputs_that_are_no_batch_or_no_time_are_an_error():
    found, extents = layout(STEP), [Extent(1, 2), Extent(1, 3)]
    with pytest.raises(NotCutError, match=r"y has shape \[3, 3\] for a batch of 2 rows"):
        cut(found, ["y"], [np.zeros((3, 3))], extents)
    with pytest.raises(NotCutError, match=r"y has shape \[2, 2\] for 3 time steps"):
        cut(found, ["y"], [np.zeros((2, 2))], extents)
    assert [a[0].shape for a in cut(found, ["y"], [np.zeros((2, 2))], [Extent(1, 3)] * 2)] == [(1, 2)] * 2
