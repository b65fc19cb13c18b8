"""A walk through time with a gradient of its own, for the engines that write theirs out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from models.layers.cell import RecurrentCell

Tensor = Any


class Weights(NamedTuple):
    """A cell's weights in the compute dtype; zeros stand for a bias that the cell has not."""

    kernel: Tensor  # [features, gates * units]
    recurrent_kernel: Tensor  # [units, gates * units]
    bias: Tensor  # [gates * units]  on the input's side
    recurrent_bias: Tensor  # [gates * units]  on the old state's side


class Walked(NamedTuple):
    """What a way there leaves: [time, batch, units], State parts [batch, units], and whatever the way back needs."""

    outputs: Tensor
    last: tuple[Tensor, ...]
    saved: tuple[Tensor, ...]


class Gradients(NamedTuple):
    """dE for the inputs [time, batch, features], the weights and the parts of the start."""

    x: Tensor
    weights: Weights
    start: tuple[Tensor, ...]


Forward = Callable[[Tensor, Weights, tuple[Tensor, ...], bool], Walked]
Backward = Callable[[Tensor, Weights, tuple[Tensor, ...], Walked, Tensor, tuple[Tensor, ...]], Gradients]


def weights_of(cell: RecurrentCell) -> Weights:
    """The cell's weights by role."""
    kernel, recurrent_kernel, *biases = cell.weights_by_role()
    nothing = tf.zeros([kernel.shape[1]], kernel.dtype)
    return Weights(kernel, recurrent_kernel, *(nothing if bias is None else bias for bias in biases))


def walk(
    cell: RecurrentCell, inputs: Tensor, before: Any, forward: Forward, backward: Backward, keep: bool
) -> tuple[Tensor, Any]:
    """Runs `forward` with `backward` for its gradient; inputs [batch, time, features], before and the result a State.

    keep: whether the way there saves for the way back. If not, a gradient that is asked for all the same walks there
    once more. Second derivatives raise NotImplementedError: the way back is not written to be differentiated."""

    @tf.custom_gradient
    def through_time(x: Tensor, *rest: Tensor) -> Any:
        weights, start = Weights(*rest[:4]), rest[4:]
        walked = forward(x, weights, start, keep)

        def gradient(d_outputs: Tensor, *d_last: Tensor) -> Any:
            saved = walked if keep else forward(x, weights, start, True)
            given = (x, weights, start, saved, d_outputs, d_last)
            return _first_order(lambda: tf.nest.flatten(backward(*given)), given)

        return (walked.outputs, *walked.last), gradient

    outputs, *after = through_time(tf.transpose(inputs, [1, 0, 2]), *weights_of(cell), *before)
    return tf.transpose(outputs, [1, 0, 2]), cell.State(*after)


def _first_order(backward: Callable[[], list[Tensor]], given: Any) -> list[Tensor]:
    @tf.custom_gradient
    def once(*_: Tensor) -> Any:
        def second(*_: Tensor) -> Any:
            raise NotImplementedError(
                "a recurrent layer was differentiated twice; only engine='equation' can be. Build the layer with it."
            )

        return backward(), second

    result: list[Tensor] = once(*tf.nest.flatten(given))
    return result
