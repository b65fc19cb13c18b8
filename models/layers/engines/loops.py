"""The two loops over time, there and back, with every gradient written out. All sequences are time-major."""

from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from models.layers.cell import RecurrentCell
from models.layers.engines.fused_steps import FUSED_STEPS, FusedStep
from models.layers.engines.gradient import Gradients, Walked, Weights
from models.layers.engines.sequence import Steps, compiled_by_xla, length, readable

Tensor = Any


@dataclass(frozen=True)
class Loops:
    """A recurrence's fused step, walked through time.

    valid [time, batch, 1] bool or None: False leaves the state as it was. recurrent_mask [batch, units] or None
    multiplies what the recurrent kernel sees of the old state.
    """

    step: FusedStep
    State: Any
    valid: Tensor | None
    recurrent_mask: Tensor | None
    has_recurrent_bias: bool

    @classmethod
    def of(cls, cell: RecurrentCell, mask: Tensor | None, recurrent_mask: Tensor | None = None) -> "Loops":
        """The loops of a cell; mask [batch, time] or None."""
        loops = cls(FUSED_STEPS[cell.equation], cell.State, None, None, cell.recurrent_bias is not None)
        return loops.masked(mask, recurrent_mask)

    def masked(self, mask: Tensor | None, recurrent_mask: Tensor | None) -> "Loops":
        """These loops with masks; mask [batch, time] or None."""
        valid = None if mask is None else tf.transpose(mask)[:, :, None]
        return replace(self, valid=valid, recurrent_mask=recurrent_mask)

    def forward(self, x: Tensor, weights: Weights, start: tuple[Tensor, ...]) -> Walked:
        """Each state after each step; saved is what the step keeps for the way back.

        What it keeps first is written over the step's projected input, which nobody reads any more. Under XLA it has a
        place of its own: XLA leaves out a list that is only written, as this one is where no gradient is asked for."""
        steps = length(x)
        bias, recurrent_bias = self.step.biases(
            weights.bias, weights.recurrent_bias if self.has_recurrent_bias else None
        )
        projected = _product(x, weights.kernel) + bias
        valid_at = readable(self.valid)
        first_like, *others_like = self._kept_like(x, weights)
        projected_at = Steps.of(projected, first_like)
        apart = compiled_by_xla()
        ahead = self.step.tail is not None

        def body(t: Tensor, read: Tensor, before: Any, outputs: Tensor, kept: Any) -> Any:
            outputs_at, *kept_at = (part.at(handle) for part, handle in zip(places, (outputs, *kept), strict=True))
            now = read if ahead else (projected_at if apart else kept_at[0]).read(t)
            u = tf.linalg.matmul(self._seen(before[0]), weights.recurrent_kernel)
            after, keep = self.step.forward(now, u, recurrent_bias, before)
            after = self._where_valid(valid_at, t, after, before)
            written = tuple(part.write(t, value) for part, value in zip(kept_at, keep, strict=True))
            read = (projected_at if apart else written[0]).read(tf.minimum(t + 1, steps - 1)) if ahead else read
            return t + 1, read, after, outputs_at.write(t, after[0]).handle, tuple(part.handle for part in written)

        # Where a step takes its input in pieces, the input is read one step ahead and carried. Read where it is used,
        # XLA merges the reading into the gates' arithmetic, which then takes one number at a time: GRU, batch 16 and
        # 128 units, 4.1 in place of 3.0 ms. The other recurrences add the whole input first, and lose by the copy.
        first = tf.reduce_sum(projected[:1], axis=0) if ahead else tf.zeros([])  # zeros where there are no steps
        places = [
            Steps.empty(steps, start[0]),
            Steps.empty(steps, first_like) if apart else projected_at,
            *(Steps.empty(steps, like) for like in others_like),
        ]
        handles = tuple(part.handle for part in places)
        loop = (0, first, self.State(*start), handles[0], handles[1:])
        _, _, last, *written = tf.while_loop(lambda t, *_: t < steps, body, loop)
        outputs, *kept = (part.at(h) for part, h in zip(places, (written[0], *written[1]), strict=True))
        return Walked(outputs.stacked(steps), tuple(last), tuple(part.stacked(steps) for part in kept))

    def nothing_kept(self, x: Tensor, weights: Weights) -> tuple[Tensor, ...]:
        """What `forward` saves, of no steps."""
        return tuple(like[None][:0] for like in self._kept_like(x, weights))

    def backward(
        self,
        x: Tensor,
        weights: Weights,
        start: tuple[Tensor, ...],
        walked: Walked,
        d_outputs: Tensor,
        d_last: tuple[Tensor, ...],
    ) -> Gradients:
        """The gradients for inputs, weights and start.

        The gradients of the sums are written over what they were made from; under XLA, which would copy the whole list
        in each step to be safe, to places of their own."""
        steps = length(x)
        d_output_at, valid_at = readable(d_outputs), readable(self.valid)
        kept = [Steps.of(part, like) for part, like in zip(walked.saved, self._kept_like(x, weights), strict=True)]
        tail = self.step.tail
        over = [0] if tail is None else [0, tail]
        apart = compiled_by_xla()
        places = [Steps.empty(steps, kept[part].like) if apart else kept[part] for part in over]
        transposed = tf.transpose(weights.recurrent_kernel)

        def body(t: Tensor, d_after: Any, handles: Any) -> Any:
            sums = [place.at(handle) for place, handle in zip(places, handles, strict=True)]
            kept_at = dict(enumerate(kept)) | ({} if apart else dict(zip(over, sums, strict=True)))
            d_after = self.State(d_after[0] + d_output_at.read(t), *d_after[1:])
            d_x, d_tail, d_before = self.step.backward(tuple(part.read(t) for part in kept_at.values()), d_after)
            through_u = self._seen(tf.linalg.matmul(_with_tail(d_x, d_tail), transposed))
            d_before = self.State(d_before[0] + through_u, *d_before[1:])
            d_before = self._where_valid(valid_at, t, d_before, d_after)
            (d_x,) = self._where_valid(valid_at, t, (d_x,), (tf.zeros_like(d_x),))
            d_sums = [d_x]
            if d_tail is not None:
                d_sums += self._where_valid(valid_at, t, (d_tail,), (tf.zeros_like(d_tail),))
            written = (place.write(t, d_sum).handle for place, d_sum in zip(sums, d_sums, strict=True))
            return t - 1, d_before, tuple(written)

        loop = (steps - 1, self.State(*d_last), tuple(part.handle for part in places))
        _, d_start, handles = tf.while_loop(lambda t, *_: t >= 0, body, loop)
        d_x, *d_tail = (place.at(handle).stacked(steps) for place, handle in zip(places, handles, strict=True))
        d_u = _with_tail(d_x, *d_tail)
        d_bias = tf.reduce_sum(d_x, axis=[0, 1])
        h_before = tf.concat([start[0][None], walked.outputs], axis=0)[:-1]
        d_weights = Weights(
            _product_of_all_steps(x, d_x),
            _product_of_all_steps(self._seen(h_before), d_u),
            d_bias,
            d_bias if tail is None else tf.reduce_sum(d_u, axis=[0, 1]),
        )
        return Gradients(_product(d_x, tf.transpose(weights.kernel)), d_weights, tuple(d_start))

    def _kept_like(self, x: Tensor, weights: Weights) -> list[Tensor]:
        """For each part that a step keeps, a tensor of its shape [batch, width]."""
        units = weights.recurrent_kernel.shape[0]
        return [tf.zeros([tf.shape(x)[1], width * units], x.dtype) for width in self.step.kept]

    def _seen(self, h: Tensor) -> Tensor:
        return h if self.recurrent_mask is None else h * self.recurrent_mask

    def _where_valid(self, valid_at: Any, t: Tensor, new: Any, old: Any) -> Any:
        if valid_at is None:
            return new
        now = valid_at.read(t)
        parts = [tf.where(now, n, o) for n, o in zip(new, old, strict=True)]
        return self.State(*parts) if isinstance(new, self.State) else parts


def _with_tail(d_x: Tensor, d_tail: Tensor | None = None) -> Tensor:
    """The gradient for what the old state adds: d_x with d_tail as its last part."""
    if d_tail is None:
        return d_x
    return tf.concat([d_x[..., : -d_tail.shape[-1]], d_tail], axis=-1)


def _product(sequence: Tensor, matrix: Tensor) -> Tensor:
    """[time, batch, rows] times [rows, columns], as one product of two matrices."""
    flat = tf.linalg.matmul(tf.reshape(sequence, [-1, sequence.shape[-1]]), matrix)
    return tf.reshape(flat, tf.concat([tf.shape(sequence)[:2], [matrix.shape[-1]]], axis=0))


def _product_of_all_steps(left: Tensor, right: Tensor) -> Tensor:
    """The sum over all steps of left^T right, [rows of left, rows of right], as one product of two matrices."""
    flat = (tf.reshape(sequence, [-1, sequence.shape[-1]]) for sequence in (left, right))
    return tf.linalg.matmul(*flat, transpose_a=True)
