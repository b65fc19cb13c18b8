"""Sequences inside a loop over time: read and written one step at a time. All are time-major, [time, batch, ...]."""

from typing import Any

import tensorflow as tf

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
