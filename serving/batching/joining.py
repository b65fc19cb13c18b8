"""The tensors of several tasks to one, and the outputs back. In TensorFlow Serving: batching/batching_session.cc,
MergeInputTensors and SplitOutputTensors, batching/batching_util.cc."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from serving.batching.parameters import Parameters
from serving.batching.queue import Feeds, Task
from serving.errors import FailedPreconditionError, InvalidArgumentError

MOST_PADDED_DIMENSIONS = 6


def rows_of(feeds: Feeds) -> int:
    """Dimension 0 of the inputs; raises INVALID_ARGUMENT when they have none, or differ."""
    if not feeds:
        raise InvalidArgumentError("Batching Run() must have at least one input tensor")
    sizes = set()
    for array in feeds.values():
        if not array.ndim:
            raise InvalidArgumentError("Batching Run() input tensors must have at least one dimension")
        sizes.add(array.shape[0])
    if len(sizes) > 1:
        raise InvalidArgumentError("Batching Run() input tensors must have equal 0th-dimension size")
    return int(sizes.pop())


def join(tasks: Sequence[Task], parameters: Parameters) -> tuple[Feeds, int]:
    """The inputs of all tasks on axis 0, and the number of rows that were added to reach an allowed size.

    Raises FAILED_PRECONDITION for other axes that differ without padding."""
    rows = sum(task.rows for task in tasks)
    extra = parameters.padded_size(rows) - rows
    joined = {}
    for name in tasks[0].feeds:
        arrays = [task.feeds[name] for task in tasks]
        if len({array.shape[1:] for array in arrays}) > 1:
            arrays = _padded(name, arrays, parameters.pad_variable_length_inputs)
        if extra:
            arrays.append(np.repeat(arrays[-1][:1], extra, axis=0))
        joined[name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return joined, extra


def _padded(name: str, arrays: list[np.ndarray], allowed: bool) -> list[np.ndarray]:
    """Every axis but 0 as long as the longest, filled up with each tensor's own first element."""
    if not allowed or len({array.ndim for array in arrays}) > 1:
        raise FailedPreconditionError(
            f"Tensors with name '{name}' from different tasks have different shapes and padding is turned off. Set "
            "pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal dimensions "
            "starting with the first dim."
        )
    if arrays[0].ndim > MOST_PADDED_DIMENSIONS:
        raise InvalidArgumentError("Only tensors with rank from 1 to 6 can be padded.")
    longest = tuple(max(sizes) for sizes in zip(*(array.shape[1:] for array in arrays), strict=True))
    padded = []
    for array in arrays:
        if not array.size:
            raise InvalidArgumentError("Got empty tensor in batch of non-empty tensors.")
        filled = np.full((array.shape[0], *longest), array.flat[0], array.dtype)
        filled[tuple(slice(size) for size in array.shape)] = array
        padded.append(filled)
    return padded


def split(outputs: Sequence[np.ndarray], tasks: Sequence[Task], extra: int) -> list[list[np.ndarray]]:
    """The outputs of each task; the rows that were added are cut off, padded axes stay.

    Raises FAILED_PRECONDITION for an output without the batch in axis 0."""
    rows = sum(task.rows for task in tasks) + extra
    for output in outputs:
        if not output.ndim:
            raise FailedPreconditionError("Batched output tensor has 0 dimensions")
        if output.shape[0] != rows:
            raise FailedPreconditionError(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                "tensors"
            )
    ends = accumulate(task.rows for task in tasks)
    return [[output[end - task.rows : end] for output in outputs] for task, end in zip(tasks, ends, strict=True)]
