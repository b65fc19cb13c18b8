"""The reference engine: one step at a time, each as on the slide; gradients by automatic differentiation."""

from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from models.layers.recurrence import Recurrence

Tensor = Any


def why_not(layer: "Recurrence") -> list[str]:
    """It runs every layer."""
    return []


def run(
    layer: "Recurrence", inputs: Tensor, before: Any, mask: Tensor | None, recurrent_mask: Tensor | None
) -> tuple[Tensor, Any]:
    """Walks through time by the cell's step; see `engines.Engine` for shapes."""
    cell, State = layer.cell, layer.cell.State

    def step(x: Tensor, valid: Tensor | None, state: Any) -> Any:
        after = cell.advance(cell.project(x), state, recurrent_mask)
        if valid is None:
            return after
        return State(*(tf.where(valid[:, None], new, old) for new, old in zip(after, state, strict=True)))

    if layer.unroll:
        outputs, state = [], before
        for t in range(inputs.shape[1]):
            state = step(inputs[:, t], None if mask is None else mask[:, t], state)
            outputs.append(state[0])
        return tf.stack(outputs, axis=1) if outputs else tf.zeros_like(inputs[:, :, :1]) * before[0][:, None], state

    steps = tf.shape(inputs)[1] if inputs.shape[1] is None else inputs.shape[1]
    xs = tf.TensorArray(inputs.dtype, size=steps, element_shape=inputs.shape[::2]).unstack(
        tf.transpose(inputs, [1, 0, 2])
    )
    valids = None
    if mask is not None:
        valids = tf.TensorArray(tf.bool, size=steps, element_shape=mask.shape[:1]).unstack(tf.transpose(mask))
    hs = tf.TensorArray(before[0].dtype, size=steps, element_shape=before[0].shape)

    def body(t: Tensor, state: Any, hs: Any) -> tuple[Tensor, Any, Any]:
        state = step(xs.read(t), None if valids is None else valids.read(t), state)
        return t + 1, state, hs.write(t, state[0])

    _, after, hs = tf.while_loop(lambda t, *_: t < steps, body, (0, before, hs), maximum_iterations=steps)
    return tf.transpose(hs.stack(), [1, 0, 2]), after
