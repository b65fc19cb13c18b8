"""Sequences inside a loop over time: read and written one step at a time. All are time-major, [time, batch, ...]."""

from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext  # no public name tells it

Tensor = Any


def length(sequence: Tensor) -> Any:
    """The number of time steps, a Python int where it is known when the graph is made."""
    return tf.shape(sequence)[0] if sequence.shape[0] is None else sequence.shape[0]


def readable(sequence: Tensor | None) -> Any:
    """The elements of a sequence, to be read at any step and more than once."""
    if sequence is None:
        return None
    array = tf.TensorArray(
        sequence.dtype, size=length(sequence), element_shape=sequence.shape[1:], clear_after_read=False
    )
    return array.unstack(sequence)


def writable(steps: Any, element: Tensor) -> Any:
    """A place for one tensor like `element` at each step."""
    return tf.TensorArray(element.dtype, size=steps, element_shape=element.shape)


def stacked(array: Any, steps: Any, element: Tensor) -> Tensor:
    """The sequence that was written; of no steps too, where the batch size is known to the running graph only."""
    if isinstance(steps, int):
        return array.stack() if steps else tf.zeros([0, *tf.unstack(tf.shape(element))], element.dtype)
    # TensorArray.stack wants a batch size that is known when the graph is made; this op takes the running graph's
    sequence = tf.raw_ops.TensorListStack(
        input_handle=array.flow, element_shape=tf.shape(element), element_dtype=element.dtype
    )
    return tf.ensure_shape(sequence, [None, *element.shape])


@dataclass(frozen=True)
class Steps:
    """A tensor for each time step, read and written in a loop, that ends as a sequence.

    like [batch, ...] is what a step holds. A loop carries the `handle` alone, see `at`. in_place: the handle is the
    whole sequence, and a step is written into it; else it is a list of tensors that is put together at the end, when
    there are both for a moment. XLA lays a list out as a sequence by itself, and has no other way to write a step.
    """

    handle: Tensor
    like: Tensor
    in_place: bool = False

    @classmethod
    def empty(cls, steps: Any, like: Tensor, in_place: bool) -> "Steps":
        """Places for so many steps."""
        if in_place:
            return cls(tf.raw_ops.Empty(shape=tf.concat([[steps], tf.shape(like)], 0), dtype=like.dtype), like, True)
        handle = tf.raw_ops.TensorListReserve(
            element_shape=tf.shape(like), num_elements=steps, element_dtype=like.dtype
        )
        return cls(handle, like)

    @classmethod
    def of(cls, sequence: Tensor, like: Tensor, in_place: bool) -> "Steps":
        """The steps of a sequence [time, batch, ...]."""
        if in_place:
            return cls(sequence, like, True)
        return cls(tf.raw_ops.TensorListFromTensor(tensor=sequence, element_shape=tf.shape(like)), like)

    def at(self, handle: Tensor) -> "Steps":
        """The same steps as they are in a pass of a loop."""
        return replace(self, handle=handle)

    def read(self, t: Tensor) -> Tensor:
        """Step t."""
        if self.in_place:
            return tf.ensure_shape(tf.gather(self.handle, t), self.like.shape)
        step = tf.raw_ops.TensorListGetItem(
            input_handle=self.handle, index=t, element_shape=tf.shape(self.like), element_dtype=self.like.dtype
        )
        return tf.ensure_shape(step, self.like.shape)

    def write(self, t: Tensor, step: Tensor) -> "Steps":
        """With another step t."""
        if not self.in_place:
            return self.at(tf.raw_ops.TensorListSetItem(input_handle=self.handle, index=t, item=step))
        at = tf.reshape(t, [1])
        return self.at(
            tf.raw_ops.TensorStridedSliceUpdate(
                input=self.handle, begin=at, end=at + 1, strides=[1], value=step, shrink_axis_mask=1
            )
        )

    def stacked(self, steps: Any) -> Tensor:
        """[time, batch, ...]; of no steps too, where the batch size is known to the running graph only."""
        sequence = self.handle
        if not self.in_place:
            sequence = tf.raw_ops.TensorListStack(
                input_handle=sequence,
                element_shape=tf.shape(self.like),
                element_dtype=self.like.dtype,
                num_elements=steps if isinstance(steps, int) else -1,
            )
        return tf.ensure_shape(sequence, [steps if isinstance(steps, int) else None, *self.like.shape])


def compiled_by_xla() -> bool:
    """Whether the graph that is being made is one for XLA (`jit_compile=True`)."""
    return bool(GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))
