"""Requests of different lengths as one batch: padded on the time axis, stacked on axis 0, cut apart again.

A signature is ragged when it has an input `lengths` (int32 or int64 [batch]): the valid time steps of each row, on
axis 1 of its data. Elements past them change neither the outputs before them nor a state, so zeros may follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorflow.core.framework import types_pb2

from serving.dtypes import BYTES, DTYPES
from serving.errors import FailedPreconditionError, InvalidArgumentError
from serving.signature import Signature, Slot

LENGTHS = "lengths"
LENGTHS_DTYPES = (types_pb2.DT_INT32, types_pb2.DT_INT64)
FREE = -1  # a size that a signature leaves open
Feeds = Mapping[str, np.ndarray]  # by tensor name
Key = tuple[Any, ...]


class NotCutError(FailedPreconditionError):
    """A batch's outputs cannot be told apart again."""


@dataclass(frozen=True)
class Extent:
    """How much of a batch belongs to one request."""

    rows: int
    time: int | None  # steps on the time axis; None for a request without one


@dataclass(frozen=True)
class Layout:
    """Where the tensors of a signature have the batch and the time. Names are those of tensors, not aliases."""

    inputs: tuple[str, ...]  # in the order in which they are fed
    lengths: str | None  # the tensor of `lengths`
    lengths_dtype: np.dtype[Any] | None
    timed_inputs: frozenset[str]  # with the time on axis 1
    timed_outputs: frozenset[str]
    joins: bool  # axis 0 of every input and output is the batch
    pads: bool  # requests of different lengths may be joined

    def time(self, feeds: Feeds) -> int | None:
        """The size of axis 1 of the timed inputs; None where there is none, or where they differ."""
        time: int | None = None
        for name in self.timed_inputs:
            array = feeds.get(name)
            if array is None or array.ndim < 2:
                continue
            if time is not None and array.shape[1] != time:
                return None
            time = array.shape[1]
        return time

    def filled(self, feeds: Feeds) -> Feeds:
        """The feeds with `lengths`: all steps are valid where a request does not say how many.

        Raises INVALID_ARGUMENT when the data do not tell the number of steps."""
        if self.lengths is None or self.lengths in feeds:
            return feeds
        time = self.time(feeds)
        if time is None:
            shapes = ", ".join(f"{name} {list(a.shape)}" for name, a in feeds.items() if name in self.timed_inputs)
            raise InvalidArgumentError(
                f"The request has no {LENGTHS}, and its inputs do not tell the number of time steps: {shapes}. Give "
                f"them one size on axis 1, or send {LENGTHS}."
            )
        rows = next(feeds[name].shape[0] for name in self.timed_inputs if name in feeds and feeds[name].ndim > 1)
        complete = {**feeds, self.lengths: np.full(rows, time, self.lengths_dtype)}
        return {name: complete[name] for name in self.inputs if name in complete}

    def extent(self, feeds: Feeds) -> Extent:
        """Rows and time of a request that has a key."""
        return Extent(next(iter(feeds.values())).shape[0], self.time(feeds))

    def key(self, feeds: Feeds) -> Key | None:
        """Requests with equal keys can be joined; None for one that has to run alone.

        Alone runs what the graph may refuse or read in its own way: no rows, no steps, arrays that do not fit to
        each other, `lengths` that are not within the time."""
        if not self.joins or not feeds:
            return None
        rows, time, parts = None, self.time(feeds), []
        for name, array in feeds.items():
            timed = name in self.timed_inputs
            if array.ndim < 1 + timed or not array.shape[0] or (rows is not None and array.shape[0] != rows):
                return None
            rows = array.shape[0]
            padded = timed and self.pads
            parts.append((name, array.dtype, array.shape[1 + padded :]))
        if self.timed_inputs and not time:
            return None
        if self.lengths is not None and not _within(feeds[self.lengths], time):
            return None
        return tuple(parts)


def layout(signature: Signature) -> Layout:
    """The layout of a signature, from the shapes that it declares."""
    lengths = signature.inputs.get(LENGTHS)
    if lengths is not None and (lengths.dtype not in LENGTHS_DTYPES or lengths.shape not in ((FREE,), None)):
        lengths = None
    timed = frozenset(slot.tensor for slot in signature.inputs.values() if _is_timed(slot))
    if not timed:
        lengths = None
    slots = [*signature.inputs.values(), *signature.outputs.values()]
    free_beyond = any(slot.shape is not None and FREE in slot.shape[2:] for slot in signature.outputs.values())
    return Layout(
        inputs=tuple(slot.tensor for slot in signature.inputs.values()),
        lengths=None if lengths is None else lengths.tensor,
        lengths_dtype=None if lengths is None else DTYPES[lengths.dtype].numpy,
        timed_inputs=timed,
        timed_outputs=frozenset(slot.tensor for slot in signature.outputs.values() if _is_timed(slot)),
        joins=all(slot.shape is not None and slot.shape[:1] == (FREE,) for slot in slots if slot is not lengths),
        pads=lengths is not None and not free_beyond,  # a free axis 2 may be the time once more: it cannot be cut
    )


def _is_timed(slot: Slot) -> bool:
    return slot.shape is not None and len(slot.shape) > 1 and slot.shape[:2] == (FREE, FREE)


def _within(lengths: np.ndarray, time: int | None) -> bool:
    return lengths.ndim == 1 and time is not None and int(lengths.min()) >= 0 and int(lengths.max()) <= time


def pad(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The array at the start of zeros (empty strings) of this shape."""
    if array.shape == tuple(shape):
        return array
    padded = _zeros(shape, array.dtype)
    padded[tuple(map(slice, array.shape))] = array
    return padded


def stack(found: Layout, requests: Sequence[Feeds], rows: int | None = None, time: int | None = None) -> Feeds:
    """One feed of requests with equal keys, in their order on axis 0.

    rows, time: the size of the batch, at least what the requests have together; zeros fill it up. Both or none."""
    if rows is None:
        extents = [found.extent(feeds) for feeds in requests]
        rows, time = sum(extent.rows for extent in extents), longest(extents)
    stacked = {}
    for name, first in requests[0].items():
        size = (rows, time, *first.shape[2:]) if name in found.timed_inputs else (rows, *first.shape[1:])
        if len(requests) == 1:
            stacked[name] = pad(first, size)
            continue
        whole = stacked[name] = _zeros(size, first.dtype)
        begin = 0
        for feeds in requests:
            array = feeds[name]
            whole[(slice(begin, begin + array.shape[0]), *map(slice, array.shape[1:]))] = array
            begin += array.shape[0]
    return stacked


def longest(extents: Sequence[Extent]) -> int | None:
    """The time of a batch of these; None where they have none."""
    return max((extent.time for extent in extents if extent.time is not None), default=None)


def cut(
    found: Layout,
    fetches: Sequence[str],
    outputs: Sequence[np.ndarray],
    extents: Sequence[Extent],
    rows: int | None = None,
    time: int | None = None,
) -> list[list[np.ndarray]]:
    """The outputs of each request, in their order, without the steps that were added to it.

    rows, time: as given to stack(). Raises NotCutError for an output whose axis 0 is not the batch, or whose axis 1
    is not the time though steps were added."""
    rows = rows or sum(extent.rows for extent in extents)
    times = {extent.time for extent in extents}
    time = time or longest(extents)
    padded = times != {time}
    for tensor, output in zip(fetches, outputs, strict=True):
        if not output.ndim or output.shape[0] != rows:
            raise NotCutError(f"output {tensor} has shape {list(output.shape)} for a batch of {rows} rows")
        if padded and tensor in found.timed_outputs and output.shape[1:2] != (time,):
            raise NotCutError(f"output {tensor} has shape {list(output.shape)} for {time} time steps")
    answers = []
    begin = 0
    for extent in extents:
        own = slice(begin, begin + extent.rows)
        begin += extent.rows
        answers.append(
            [
                output[own, : extent.time] if padded and tensor in found.timed_outputs else output[own]
                for tensor, output in zip(fetches, outputs, strict=True)
            ]
        )
    return answers


def _zeros(shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray:
    return np.full(shape, b"", dtype) if dtype == BYTES else np.zeros(shape, dtype)
