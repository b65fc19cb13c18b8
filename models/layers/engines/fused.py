"""The default engine on CPU: only what is truly recurrent stays in the loop.

Before the loop one matrix product projects the inputs of all steps. The loop holds the product with the old state
and the gates. The gradient is written out: it walks back through the saved gates, and forms the gradient of the
recurrent kernel as one product over all steps after the loop (that of the kernel and the bias comes, as one product
each, from differentiating the projection).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from models.layers.engines.fused_steps import FUSED_STEPS, FusedStep
from models.layers.engines.sequence import length, readable, stacked, writable

if TYPE_CHECKING:
    from models.layers.recurrence import Recurrence

Tensor = Any


def why_not(layer: "Recurrence") -> list[str]:
    """Reasons why the fused engine cannot run this layer; empty when it can."""
    step = FUSED_STEPS.get(type(layer.cell).step)
    if step is None:
        return [f"{type(layer).__name__} has no fused step"]
    reasons = []
    for name, expected in step.activations.items():
        chosen = getattr(layer.cell.activations[name], "__name__", "a function without a name")
        if chosen != expected:
            reasons.append(f"{name} is {chosen}, the fused gradient is written for {expected}")
    if layer.unroll:
        reasons.append("unroll is True, the fused engine has one loop")
    return reasons


def run(
    layer: "Recurrence", inputs: Tensor, before: Any, mask: Tensor | None, recurrent_mask: Tensor | None
) -> tuple[Tensor, Any]:
    """Walks through time in time-major order; see `engines.Engine` for shapes."""
    cell = layer.cell
    projected = cell.project(tf.transpose(inputs, [1, 0, 2]))
    recurrent_kernel = tf.convert_to_tensor(cell.recurrent_kernel)
    valid = None if mask is None else tf.transpose(mask)[:, :, None]
    walk = Walk(FUSED_STEPS[type(cell).step], cell.State, valid, recurrent_mask)

    @tf.custom_gradient
    def through_time(projected: Tensor, recurrent_kernel: Tensor, *start: Tensor) -> Any:
        states, gates = walk.forward(projected, recurrent_kernel, cell.State(*start))
        with_start = cell.State(*(tf.concat([s[None], seq], axis=0) for s, seq in zip(start, states, strict=True)))

        def gradient(d_outputs: Tensor, *d_last: Tensor) -> Any:
            d_projected, d_start = walk.backward(recurrent_kernel, with_start, gates, d_outputs, cell.State(*d_last))
            return d_projected, walk.recurrent_gradient(with_start[0][:-1], d_projected), *d_start

        return (states[0], *(sequence[-1] for sequence in with_start)), gradient

    outputs, *after = through_time(projected, recurrent_kernel, *before)
    return tf.transpose(outputs, [1, 0, 2]), cell.State(*after)


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

    def forward(self, projected: Tensor, recurrent_kernel: Tensor, start: Any) -> tuple[Any, Tensor]:
        """The state after each step (a State of sequences), and the gates to save for the way back."""
        steps = length(projected)
        projected_at, valid_at = readable(projected), readable(self.valid)

        def body(t: Tensor, before: Any, states: Any, gates: Any) -> Any:
            z = projected_at.read(t) + tf.linalg.matmul(self._seen(before[0]), recurrent_kernel)
            after, saved = self.step.forward(z, before)
            after = self._where_valid(valid_at, t, after, before)
            states = self.State(*(written.write(t, part) for written, part in zip(states, after, strict=True)))
            return t + 1, after, states, gates.write(t, saved)

        z_like = _zeros_of_z(start[0], recurrent_kernel)
        states = self.State(*(writable(steps, part) for part in start))
        loop = (0, start, states, writable(steps, z_like))
        _, _, states, gates = tf.while_loop(lambda t, *_: t < steps, body, loop, maximum_iterations=steps)
        sequences = (stacked(written, steps, part) for written, part in zip(states, start, strict=True))
        return self.State(*sequences), stacked(gates, steps, z_like)

    def backward(
        self, recurrent_kernel: Tensor, states: Any, gates: Tensor, d_outputs: Tensor, d_last: Any
    ) -> tuple[Tensor, Any]:
        """dE/dz of each step and dE/d(start); states has the start in front, so that states[t] is before step t."""
        steps = length(gates)
        gates_at, d_output_at, valid_at = readable(gates), readable(d_outputs), readable(self.valid)
        state_at = self.State(*(readable(sequence) for sequence in states))
        transposed = tf.transpose(recurrent_kernel)

        def body(t: Tensor, d_after: Any, d_z: Any) -> Any:
            d_after = self.State(d_after[0] + d_output_at.read(t), *d_after[1:])
            before, after = (self.State(*(part.read(at) for part in state_at)) for at in (t, t + 1))
            dz, d_before = self.step.backward(gates_at.read(t), before, after, d_after)
            d_before = self.State(self._seen(tf.linalg.matmul(dz, transposed)), *d_before[1:])
            d_before = self._where_valid(valid_at, t, d_before, d_after)
            (dz,) = self._where_valid(valid_at, t, (dz,), (tf.zeros_like(dz),))
            return t - 1, d_before, d_z.write(t, dz)

        z_like = _zeros_of_z(d_last[0], recurrent_kernel)
        loop = (steps - 1, d_last, writable(steps, z_like))
        _, d_start, d_z = tf.while_loop(lambda t, *_: t >= 0, body, loop, maximum_iterations=steps)
        return stacked(d_z, steps, z_like), d_start

    def recurrent_gradient(self, before: Tensor, d_projected: Tensor) -> Tensor:
        """dE/d(recurrent kernel) [units, gates * units], one product over all steps."""
        seen = self._seen(before)
        return tf.linalg.matmul(
            tf.reshape(seen, [-1, seen.shape[-1]]),
            tf.reshape(d_projected, [-1, d_projected.shape[-1]]),
            transpose_a=True,
        )

    def _seen(self, h: Tensor) -> Tensor:
        return h if self.recurrent_mask is None else h * self.recurrent_mask

    def _where_valid(self, valid_at: Any, t: Tensor, new: Any, old: Any) -> Any:
        if valid_at is None:
            return new
        now = valid_at.read(t)
        parts = [tf.where(now, n, o) for n, o in zip(new, old, strict=True)]
        return self.State(*parts) if isinstance(new, self.State) else parts


def _zeros_of_z(h: Tensor, recurrent_kernel: Tensor) -> Tensor:
    return tf.zeros([tf.shape(h)[0], recurrent_kernel.shape[1]], h.dtype)
