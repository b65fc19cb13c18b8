import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.batching.joining import join, rows_of, split
from serving.batching.parameters import Parameters
from serving.batching.queue import Task
from serving.errors import ServingError

PADDING = Parameters(pad_variable_length_inputs=True)


def task(**feeds):
    feeds = {name: np.asarray(value) for name, value in feeds.items()}
    return Task(feeds, rows_of(feeds), None, 0, 0)


def refused(call, *args):
    with pytest.raises(ServingError) as error:
        call(*args)
    return error.value.status


@pytest.mark.parametrize(
    ("feeds", "text"),
    [
        ({}, "Batching Run() must have at least one input tensor"),
        ({"x": np.float32(1)}, "Batching Run() input tensors must have at least one dimension"),
        ({"x": np.zeros(1), "y": np.zeros(2)}, "Batching Run() input tensors must have equal 0th-dimension size"),
    ],
)
def test_inputs_without_a_common_number_of_rows_are_refused(feeds, text):
    assert refused(rows_of, feeds) == f"INVALID_ARGUMENT: {text}"


def test_tasks_are_joined_on_axis_0_in_their_order():
    joined, extra = join([task(x=[[1], [2]], y=[1, 2]), task(x=[[3]], y=[3])], Parameters())
    assert joined["x"].tolist() == [[1], [2], [3]]
    assert joined["y"].tolist() == [1, 2, 3]
    assert extra == 0


def test_rows_that_are_missing_are_copies_of_the_first_row_of_the_last_task():
    joined, extra = join([task(x=[1]), task(x=[2, 3])], Parameters(8, allowed_batch_sizes=(6, 8)))
    assert (joined["x"].tolist(), extra) == ([1, 2, 3, 2, 2, 2], 3)


def test_other_axes_are_padded_with_each_tensors_own_first_element():
    joined, _ = join([task(x=[[1, 2, 3]]), task(x=[[7], [8]])], PADDING)
    assert joined["x"].tolist() == [[1, 2, 3], [7, 7, 7], [8, 7, 7]]
    joined, _ = join([task(x=np.array([[b"a"]], object)), task(x=np.array([[b"b", b"c"]], object))], PADDING)
    assert joined["x"].tolist() == [[b"a", b"a"], [b"b", b"c"]]


def test_tensors_of_one_shape_are_not_padded_even_when_they_are_empty():
    joined, _ = join([task(x=np.zeros((1, 0))), task(x=np.zeros((2, 0)))], PADDING)
    assert joined["x"].shape == (3, 0)


@pytest.mark.parametrize("parameters", [Parameters(), PADDING])
def test_other_axes_that_differ_are_refused_without_padding_and_other_ranks_always(parameters):
    tasks = [task(x=[[1, 2]]), task(x=[[[1]]] if parameters is PADDING else [[1]])]
    assert refused(join, tasks, parameters) == (
        "FAILED_PRECONDITION: Tensors with name 'x' from different tasks have different shapes and padding is "
        "turned off. Set pad_variable_length_inputs to true, or "
        "ensure that all tensors with the same name have equal dimensions "
        "starting with the first dim."
    )


def test_what_cannot_be_padded_is_refused():
    assert refused(join, [task(x=np.zeros((1, 0))), task(x=np.zeros((1, 2)))], PADDING) == (
        "INVALID_ARGUMENT: Got empty tensor in batch of non-empty tensors."
    )
    assert refused(join, [task(x=np.zeros((1,) * 7)), task(x=np.zeros((1,) * 6 + (2,)))], PADDING) == (
        "INVALID_ARGUMENT: Only tensors with rank from 1 to 6 can be padded."
    )


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.integers(0, 3))
def test_outputs_are_split_as_the_tasks_were_joined(sizes, extra):
    tasks = [task(x=np.full(size, index)) for index, size in enumerate(sizes)]
    output = np.concatenate([t.feeds["x"] for t in tasks] + [np.full(extra, -1)])
    found = split([output, output * 2], tasks, extra)
    assert [[o.tolist() for o in outputs] for outputs in found] == [
        [[index] * size, [2 * index] * size] for index, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (np.float32(1), "Batched output tensor has 0 dimensions"),
        (
            np.zeros(3),
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
            "tensors",
        ),
    ],
)
def test_an_output_without_the_batch_in_axis_0_is_refused(output, text):
    assert refused(split, [output], [task(x=[1, 2])], 0) == f"FAILED_PRECONDITION: {text}"
