"""The default engine on CPU: only what is truly recurrent stays in the loop.

Before the loop one matrix product projects the inputs of all steps. The loop holds the product with the old state and
the gates. The gradient is written out: it walks back through the saved gates, and forms the gradient of the recurrent
kernel as one product over all steps after the loop (those of the kernel and the bias come, as one product each, from
differentiating the projection).
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from models.layers.engines.asked import AskedLayer
from models.layers.engines.fused_steps import FUSED_STEPS, FusedStep
from models.layers.engines.sequence import length, readable, stacked, writable

Tensor = Any


def why_not(layer: AskedLayer) -> list[str]:
    """Reasons why the fused engine cannot run this layer; empty when it can."""
    cell = layer.cell
    step = FUSED_STEPS.get(cell.equation)
    if step is None:
        return [f"{cell.equation.__name__} has no fused step"]
    reasons = []
    for name, expected in step.activations.items():
        chosen = getattr(cell.activations[name], "__name__", "a function without a name")
        if chosen != expected:
            reasons.append(f"{name} is {chosen}, the fused gradient is written for {expected}")
    if layer.unroll:
        reasons.append("unroll is True, the fused engine has one loop")
    return reasons


def run(
    layer: AskedLayer, inputs: Tensor, before: Any, mask: Tensor | None, recurrent_mask: Tensor | None
) -> tuple[Tensor, Any]:
    """Walks through time in time-major order; see `engines.Engine` for shapes."""
    cell = layer.cell
    step, State = FUSED_STEPS[cell.equation], cell.State
    kernel, recurrent_kernel, bias, recurrent_bias = _scaled(cell.weights_by_role(), step, cell.units)
    projected = tf.linalg.matmul(tf.transpose(inputs, [1, 0, 2]), kernel)
    if bias is not None:
        projected += bias
    if recurrent_bias is None:
        recurrent_bias = tf.zeros([recurrent_kernel.shape[1]], recurrent_kernel.dtype)
    valid = None if mask is None else tf.transpose(mask)[:, :, None]
    walk = Walk(step, State, valid, recurrent_mask, cell.recurrent_bias is not None)

    @tf.custom_gradient
    def through_time(projected: Tensor, recurrent_kernel: Tensor, recurrent_bias: Tensor, *start: Tensor) -> Any:
        states, saved = walk.forward(projected, recurrent_kernel, recurrent_bias, State(*start))
        with_start = State(*(tf.concat([s[None], seq], axis=0) for s, seq in zip(start, states, strict=True)))

        def gradient(d_outputs: Tensor, *d_last: Tensor) -> Any:
            d_x, d_u, d_start = walk.backward(recurrent_kernel, with_start, saved, d_outputs, State(*d_last))
            d_recurrent_kernel = walk.recurrent_gradient(with_start[0][:-1], d_u)
            return d_x, d_recurrent_kernel, tf.reduce_sum(d_u, axis=[0, 1]), *d_start

        return (states[0], *(sequence[-1] for sequence in with_start)), gradient

    outputs, *after = through_time(projected, recurrent_kernel, recurrent_bias, *before)
    return tf.transpose(outputs, [1, 0, 2]), State(*after)


def _scaled(weights: tuple[Tensor | None, ...], step: FusedStep, units: int) -> tuple[Any, ...]:
    """The weights with the step's scale multiplied into their columns; the gradient of that is TensorFlow's affair."""
    if set(step.scale) == {1.0}:
        return weights
    scale = tf.constant([part for part in step.scale for _ in range(units)])
    return tuple(None if w is None else w * tf.cast(scale, w.dtype) for w in weights)


@dataclass(frozen=True)
class Walk:
    """The two loops over time. All sequences are time-major, [time, batch, ...].

    valid [time, batch, 1] bool or None: False leaves the state as it was. recurrent_mask [batch, units] or None
    multiplies what the recurrent kernel sees of the old state.
    """

    step: FusedStep
    State: Any
    valid: Tensor | None
    recurrent_mask: Tensor | None
    has_recurrent_bias: bool

    def forward(
        self, projected: Tensor, recurrent_kernel: Tensor, recurrent_bias: Tensor, start: Any
    ) -> tuple[Any, Tensor | None]:
        """The state after each step (a State of sequences), and what is saved for the way back."""
        steps = length(projected)
        x_at, valid_at = readable(projected), readable(self.valid)
        saved_like = self._saved_like(start[0])

        def body(t: Tensor, before: Any, states: Any, saved: Any) -> Any:
            u = tf.linalg.matmul(self._seen(before[0]), recurrent_kernel)
            if self.has_recurrent_bias:
                u += recurrent_bias
            after, kept = self.step.forward(x_at.read(t), u, before)
            after = self._where_valid(valid_at, t, after, before)
            states = self.State(*(written.write(t, part) for written, part in zip(states, after, strict=True)))
            return t + 1, after, states, saved if kept is None else saved.write(t, kept)

        states = self.State(*(writable(steps, part) for part in start))
        loop = (0, start, states, writable(steps, saved_like))
        _, _, states, saved = tf.while_loop(lambda t, *_: t < steps, body, loop, maximum_iterations=steps)
        sequences = (stacked(written, steps, part) for written, part in zip(states, start, strict=True))
        return self.State(*sequences), stacked(saved, steps, saved_like) if self.step.saved else None

    def backward(
        self, recurrent_kernel: Tensor, states: Any, saved: Tensor | None, d_outputs: Tensor, d_last: Any
    ) -> tuple[Tensor, Tensor, Any]:
        """dE/dx and dE/du of each step and dE/d(start); states has the start in front: states[t] is before step t."""
        steps = length(d_outputs)
        saved_at, d_output_at, valid_at = readable(saved), readable(d_outputs), readable(self.valid)
        state_at = self.State(*(readable(sequence) for sequence in states))
        transposed = tf.transpose(recurrent_kernel)

        def body(t: Tensor, d_after: Any, d_xs: Any, d_us: Any) -> Any:
            d_after = self.State(d_after[0] + d_output_at.read(t), *d_after[1:])
            before, after = (self.State(*(part.read(at) for part in state_at)) for at in (t, t + 1))
            kept = None if saved_at is None else saved_at.read(t)
            d_x, d_u, d_before = self.step.backward(kept, before, after, d_after)
            through_u = self._seen(tf.linalg.matmul(d_x if d_u is None else d_u, transposed))
            d_before = self.State(d_before[0] + through_u, *d_before[1:])
            d_before = self._where_valid(valid_at, t, d_before, d_after)
            (d_x,) = self._where_valid(valid_at, t, (d_x,), (tf.zeros_like(d_x),))
            if d_u is not None:
                (d_u,) = self._where_valid(valid_at, t, (d_u,), (tf.zeros_like(d_u),))
                d_us = d_us.write(t, d_u)
            return t - 1, d_before, d_xs.write(t, d_x), d_us

        like = tf.zeros([tf.shape(d_last[0])[0], recurrent_kernel.shape[1]], recurrent_kernel.dtype)
        loop = (steps - 1, d_last, writable(steps, like), writable(steps, like))
        _, d_start, d_xs, d_us = tf.while_loop(lambda t, *_: t >= 0, body, loop, maximum_iterations=steps)
        d_x = stacked(d_xs, steps, like)
        return d_x, stacked(d_us, steps, like) if self.step.splits else d_x, d_start

    def recurrent_gradient(self, before: Tensor, d_u: Tensor) -> Tensor:
        """dE/d(recurrent kernel) [units, gates * units], one product over all steps."""
        seen = self._seen(before)
        return tf.linalg.matmul(
            tf.reshape(seen, [-1, seen.shape[-1]]), tf.reshape(d_u, [-1, d_u.shape[-1]]), transpose_a=True
        )

    def _saved_like(self, h: Tensor) -> Tensor:
        return tf.zeros([tf.shape(h)[0], self.step.saved * h.shape[-1]], h.dtype)

    def _seen(self, h: Tensor) -> Tensor:
        return h if self.recurrent_mask is None else h * self.recurrent_mask

    def _where_valid(self, valid_at: Any, t: Tensor, new: Any, old: Any) -> Any:
        if valid_at is None:
            return new
        now = valid_at.read(t)
        parts = [tf.where(now, n, o) for n, o in zip(new, old, strict=True)]
        return self.State(*parts) if isinstance(new, self.State) else parts
