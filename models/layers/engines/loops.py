"""The two loops over time, there and back, with every gradient written out. All sequences are time-major."""

from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from models.layers.cell import RecurrentCell
from models.layers.engines.fused_steps import FUSED_STEPS, Around, FusedStep
from models.layers.engines.gradient import Gradients, Walked, Weights
from models.layers.engines.sequence import Steps, compiled_by_xla, length

Tensor = Any


@dataclass(frozen=True)
class Loops:
    """A recurrence's fused step, walked through time.

    valid [time, batch, 1] bool or None: False leaves the state as it was. recurrent_mask [batch, units] or None
    multiplies what the recurrent kernel sees of the old state. training: sequences are written in place, but under
    XLA; for graphs that XLA will not get later, as it may get one that is exported.
    """

    step: FusedStep
    State: Any
    valid: Tensor | None
    recurrent_mask: Tensor | None
    has_recurrent_bias: bool
    training: bool

    @classmethod
    def of(
        cls,
        cell: RecurrentCell,
        mask: Tensor | None,
        recurrent_mask: Tensor | None = None,
        training: bool | None = None,
    ) -> "Loops":
        """The loops of a cell; mask [batch, time] or None."""
        step, has_recurrent_bias = FUSED_STEPS[cell.equation], cell.recurrent_bias is not None
        loops = cls(step, cell.State, None, None, has_recurrent_bias, training is True)
        return loops.masked(mask, recurrent_mask)

    @property
    def _in_place(self) -> bool:
        return self.training and not compiled_by_xla()

    def masked(self, mask: Tensor | None, recurrent_mask: Tensor | None) -> "Loops":
        """These loops with masks; mask [batch, time] or None."""
        valid = None if mask is None else tf.transpose(mask)[:, :, None]
        return replace(self, valid=valid, recurrent_mask=recurrent_mask)

    def forward(self, x: Tensor, weights: Weights, start: tuple[Tensor, ...], keep: bool) -> Walked:
        """Each output; saved is what the steps keep for the way back, nothing unless `keep`."""
        steps, units = length(x), weights.recurrent_kernel.shape[0]
        bias, recurrent_bias = self.step.biases(
            weights.bias, weights.recurrent_bias if self.has_recurrent_bias else None
        )
        projected = _product(x, weights.kernel) + bias
        projected_at = Steps.of(projected, _row(x, projected.shape[-1]), self._in_place)
        valid_at, ahead = self._valid_at(), self.step.tail

        def body(t: Tensor, read: Tensor, before: Any, handles: Any) -> Any:
            outputs_at, *kept_at = (place.at(handle) for place, handle in zip(places, handles, strict=True))
            inputs_at = projected_at.at(handles[over[0]]) if over else projected_at
            now = read if ahead else inputs_at.read(t)
            u = tf.linalg.matmul(self._seen(before[0]), weights.recurrent_kernel)
            after, kept = self.step.forward(now, u, recurrent_bias, before)
            after = self._where_valid(valid_at, t, after, before)
            read = inputs_at.read(tf.minimum(t + 1, steps - 1)) if ahead else read
            with tf.control_dependencies([read] if over else []):  # a write that came first would copy the sequence
                written = [outputs_at.write(t, after[0])]
                if keep:
                    written += [place.write(t, value) for place, value in zip(kept_at, kept, strict=True)]
            return t + 1, read, after, tuple(place.handle for place in written)

        # Where a step takes its input in pieces, the input is read one step ahead and carried. Read where it is used,
        # XLA merges the reading into the gates' arithmetic, which then takes one number at a time: a GRU of
        # small units is slower so. The other recurrences add the whole input first, and lose by the copy.
        first = tf.reduce_sum(projected[:1], axis=0) if ahead else tf.zeros([])  # zeros where there are no steps
        widths = [width * units for width in self.step.kept] if keep else []
        places = [
            Steps.empty(steps, start[0], self._in_place),
            *(Steps.empty(steps, _row(x, width), self._in_place) for width in widths),
        ]
        over = self._shared([projected_at], places)
        places = [projected_at if over.get(0) == k else place for k, place in enumerate(places)]
        loop = (0, first, self.State(*start), tuple(place.handle for place in places))
        _, _, last, handles = tf.while_loop(lambda t, *_: t < steps, body, loop)
        outputs, *kept = (place.at(handle).stacked(steps) for place, handle in zip(places, handles, strict=True))
        return Walked(outputs, tuple(last), tuple(kept))

    def nothing_kept(self, x: Tensor, weights: Weights) -> tuple[Tensor, ...]:
        """What `forward` keeps, of no steps; a graph does not know how many they are, as it takes one branch's number
        for that of a whole choice."""
        units = weights.recurrent_kernel.shape[0]
        nothing = (_row(x, width * units)[None][:0] for width in self.step.kept)
        return tuple(tf.raw_ops.PlaceholderWithDefault(input=each, shape=[None, *each.shape[1:]]) for each in nothing)

    def backward(
        self,
        x: Tensor,
        weights: Weights,
        start: tuple[Tensor, ...],
        walked: Walked,
        d_outputs: Tensor,
        d_last: tuple[Tensor, ...],
    ) -> Gradients:
        """The gradients for inputs, weights and start."""
        steps, units = length(x), weights.recurrent_kernel.shape[0]
        d_output_at, valid_at = Steps.of(d_outputs, start[0], self._in_place), self._valid_at()
        output_at = Steps.of(walked.outputs, start[0], self._in_place)
        kept_at = [
            Steps.of(part, _row(x, width * units), self._in_place)
            for part, width in zip(walked.saved, self.step.kept, strict=True)
        ]
        transposed = tf.transpose(weights.recurrent_kernel)
        read_at = [d_output_at, *kept_at]

        def body(t: Tensor, d_after: Any, handles: Any) -> Any:
            now = {source: handles[target] for source, target in over.items()}
            d_output, *kept = (place.at(now.get(k, place.handle)).read(t) for k, place in enumerate(read_at))
            h = Around(
                before=lambda: tf.where(t > 0, output_at.read(tf.maximum(t - 1, 0)), start[0]),
                after=lambda: output_at.read(t),
            )
            d_after = self.State(d_after[0] + d_output, *d_after[1:])
            d_x, d_tail, d_before = self.step.backward(tuple(kept), h, d_after)
            through_u = self._seen(tf.linalg.matmul(_with_tail(d_x, d_tail), transposed))
            d_before = self.State(d_before[0] + through_u, *d_before[1:])
            d_before = self._where_valid(valid_at, t, d_before, d_after)
            d_sums = [d_x] if d_tail is None else [d_x, d_tail]
            d_sums = self._where_valid(valid_at, t, d_sums, [tf.zeros_like(part) for part in d_sums])
            written = (place.at(at).write(t, d_sum) for place, at, d_sum in zip(places, handles, d_sums, strict=True))
            return t - 1, d_before, tuple(place.handle for place in written)

        widths = [weights.kernel.shape[-1], *([units] if self.step.tail else [])]
        places = [Steps.empty(steps, _row(x, width), self._in_place) for width in widths]
        over = self._shared(read_at, places)
        for source, target in over.items():
            places[target] = read_at[source]
        loop = (steps - 1, self.State(*d_last), tuple(place.handle for place in places))
        _, d_start, handles = tf.while_loop(lambda t, *_: t >= 0, body, loop)
        d_x, *d_tail = (place.at(handle).stacked(steps) for place, handle in zip(places, handles, strict=True))
        d_bias = tf.reduce_sum(d_x, axis=[0, 1])
        seen = self._seen(tf.concat([start[0][None], walked.outputs], axis=0)[:-1])
        d_weights = Weights(
            _product_of_all_steps(x, d_x),
            self._d_recurrent_kernel(seen, d_x, *d_tail),
            d_bias,
            _with_tail(d_bias, *(tf.reduce_sum(part, axis=[0, 1]) for part in d_tail)),
        )
        return Gradients(_product(d_x, tf.transpose(weights.kernel)), d_weights, tuple(d_start))

    def _d_recurrent_kernel(self, seen: Tensor, d_x: Tensor, d_tail: Tensor | None = None) -> Tensor:
        """seen^T d_u over all steps. In place, no d_u lies beside d_x: a third of a product for a sequence less."""
        if d_tail is None or not self._in_place:
            return _product_of_all_steps(seen, _with_tail(d_x, d_tail))
        return _with_tail(_product_of_all_steps(seen, d_x), _product_of_all_steps(seen, d_tail))

    def _shared(self, sources: list[Steps], targets: list[Steps]) -> dict[int, int]:
        """Which source can hold which target: both of one width, a step written where that of the source has been
        read. Empty where nothing is written in place. TensorFlow copies a sequence first that somebody else needs."""
        if not self._in_place:
            return {}
        free, found = list(enumerate(sources))[::-1], {}
        for number, target in enumerate(targets):
            alike = [k for k, source in free if source.like.shape[-1] == target.like.shape[-1]]
            if alike:
                found[alike[0]] = number
                free = [(k, source) for k, source in free if k != alike[0]]
        return found

    def _seen(self, h: Tensor) -> Tensor:
        return h if self.recurrent_mask is None else h * self.recurrent_mask

    def _valid_at(self) -> Steps | None:
        return (
            None
            if self.valid is None
            else Steps.of(self.valid, tf.zeros(tf.shape(self.valid)[1:], tf.bool), self._in_place)
        )

    def _where_valid(self, valid_at: Any, t: Tensor, new: Any, old: Any) -> Any:
        if valid_at is None:
            return new
        now = valid_at.read(t)
        parts = [tf.where(now, n, o) for n, o in zip(new, old, strict=True)]
        return self.State(*parts) if isinstance(new, self.State) else parts


def _row(x: Tensor, width: int) -> Tensor:
    """Zeros [batch, width] like a step of the sequence x."""
    return tf.zeros([tf.shape(x)[1], width], x.dtype)


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
