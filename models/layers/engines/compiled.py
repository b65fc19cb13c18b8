"""The fused loops, compiled by XLA by themselves, on the two halves of the batch at the same time.

For CPUs, where XLA takes the products of a loop on one thread. Two functions that are compiled apart run side by side
in a graph that is not compiled as a whole, one for each half of the batch. The compiled functions are part of the
graph, which a stock TensorFlow Serving would not run: so `auto` never takes this engine, and a model that is to be
exported is built with another (weights move as they are). Inside a graph that XLA compiles anyway it is the fused one.
"""

from collections.abc import MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

import tensorflow as tf

from models.layers.cell import RecurrentCell
from models.layers.engines import fused, gradient
from models.layers.engines.asked import AskedLayer
from models.layers.engines.gradient import Gradients, Walked, Weights
from models.layers.engines.loops import Loops

Tensor = Any
States = tuple[Tensor, ...]
LEAST_BATCH = 16  # below it a half is not worth a thread

_COMPILED: MutableMapping[RecurrentCell, tuple[Any, Any]] = WeakKeyDictionary()


def why_not(layer: AskedLayer) -> list[str]:
    """Reasons why this engine cannot run the layer: those of the fused engine."""
    return fused.why_not(layer)


def run(
    layer: AskedLayer,
    inputs: Tensor,
    before: Any,
    mask: Tensor | None,
    recurrent_mask: Tensor | None,
    training: bool | None,
) -> tuple[Tensor, Any]:
    """Walks through time in time-major order; see `engines.Engine` for shapes."""
    there, back = _compiled(layer.cell)
    if inputs.shape[0] is not None and inputs.shape[0] < LEAST_BATCH:
        cuts = [slice(None)]
    else:
        middle = tf.shape(inputs)[0] // 2
        cuts = [slice(None, middle), slice(middle, None)]
    if recurrent_mask is not None:
        recurrent_mask = tf.stop_gradient(recurrent_mask)  # made like the old state, which a tape may follow; see below
    masks = [(_rows(mask, cut), _rows(recurrent_mask, cut)) for cut in cuts]

    def forward(x: Tensor, weights: Weights, start: States, keep: bool) -> Walked:
        # a compiled function that a tape follows hands out its loop's insides, which XLA cannot
        x, weights, start = tf.nest.map_structure(tf.stop_gradient, (x, weights, start))
        halves = [
            there(x[:, cut], weights, tuple(part[cut] for part in start), keep, *of_half)
            for cut, of_half in zip(cuts, masks, strict=True)
        ]
        last = tuple(tf.concat(parts, axis=0) for parts in zip(*(half.last for half in halves), strict=True))
        saved = tuple(part for half in halves for part in (half.outputs, *half.last, *half.saved))
        return Walked(tf.concat([half.outputs for half in halves], axis=1), last, saved)

    def backward(
        x: Tensor, weights: Weights, start: States, walked: Walked, d_outputs: Tensor, d_last: States
    ) -> Gradients:
        given = (x, weights, start, walked, d_outputs, d_last)
        x, weights, start, walked, d_outputs, d_last = tf.nest.map_structure(tf.stop_gradient, given)
        each = len(walked.saved) // len(cuts)
        halves = []
        for k, (cut, of_half) in enumerate(zip(cuts, masks, strict=True)):
            outputs, *rest = walked.saved[k * each : (k + 1) * each]
            of_walk = Walked(outputs, tuple(rest[: len(start)]), tuple(rest[len(start) :]))
            states, d_states = (tuple(part[cut] for part in group) for group in (start, d_last))
            halves.append(back(x[:, cut], weights, states, of_walk, d_outputs[:, cut], d_states, *of_half))
        d_weights = Weights(*(tf.add_n(parts) for parts in zip(*(half.weights for half in halves), strict=True)))
        d_start = tuple(tf.concat(parts, axis=0) for parts in zip(*(half.start for half in halves), strict=True))
        return Gradients(tf.concat([half.x for half in halves], axis=1), d_weights, d_start)

    return gradient.walk(layer.cell, inputs, before, forward, backward, training is not False)


def _compiled(cell: RecurrentCell) -> tuple[Any, Any]:
    """The cell's two loops, each compiled once for every shape."""
    if cell not in _COMPILED:
        unmasked = Loops.of(cell, None)  # holds nothing of the cell, so that a cell that is not used any more can go

        def there(x: Tensor, weights: Weights, start: States, keep: bool, mask: Any, recurrent_mask: Any) -> Walked:
            return unmasked.masked(mask, recurrent_mask).forward(x, weights, start, keep)

        def back(x: Tensor, *rest: Any) -> Gradients:
            *given, mask, recurrent_mask = rest
            return unmasked.masked(mask, recurrent_mask).backward(x, *given)

        _COMPILED[cell] = tuple(tf.function(way, jit_compile=True, autograph=False) for way in (there, back))
    return _COMPILED[cell]


def _rows(tensor: Tensor | None, cut: slice) -> Tensor | None:
    return None if tensor is None else tensor[cut]
