"""The reference engine: one step at a time, each as on the slide; gradients by automatic differentiation."""

from typing import Any

import tensorflow as tf

from models.layers.engines.asked import AskedLayer
from models.layers.engines.sequence import length, readable, stacked, writable

Tensor = Any


def why_not(layer: AskedLayer) -> list[str]:
    """It runs every layer."""
    return []


def run(
    layer: AskedLayer,
    inputs: Tensor,
    before: Any,
    mask: Tensor | None,
    recurrent_mask: Tensor | None,
    training: bool | None,
) -> tuple[Tensor, Any]:
    """Walks through time by the cell's step; see `engines.Engine`. TensorFlow saves what a gradient needs by itself."""
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
        return tf.stack(outputs, axis=1), state

    inputs = tf.transpose(inputs, [1, 0, 2])
    steps = length(inputs)
    x_at, valid_at = readable(inputs), readable(None if mask is None else tf.transpose(mask))

    def body(t: Tensor, state: Any, hs: Any) -> tuple[Tensor, Any, Any]:
        state = step(x_at.read(t), None if valid_at is None else valid_at.read(t), state)
        return t + 1, state, hs.write(t, state[0])

    loop = (0, before, writable(steps, before[0]))
    _, after, hs = tf.while_loop(lambda t, *_: t < steps, body, loop, maximum_iterations=steps)
    return tf.transpose(stacked(hs, steps, before[0]), [1, 0, 2]), after
