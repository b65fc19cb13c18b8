"""The GPU's own kernel, chosen when the graph runs and not when it is traced.

One graph holds both ways: on a GPU cuDNN's, elsewhere the fused engine's two loops. So one exported SavedModel is right
on a CPU and fast on a GPU. TensorFlow (2.21) ends the process when it differentiates through such a choice by itself;
the gradient here is our own, and chooses by device once more. cuDNN takes right-padded sequences of at least one step;
other masks take the loops on a GPU too, which is found out when the graph runs as well.

Inside `tf.vectorized_map`, where Keras's TimeDistributed runs a layer, there are the loops alone: TensorFlow can
neither vectorize a choice by device (it stitches the outputs of the branches together wrongly) nor keep our gradient.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from models.layers.engines import fused, gradient
from models.layers.engines.asked import AskedLayer, use_cudnn
from models.layers.engines.cudnn_weights import CUDNN_FORMS, CudnnForm, pack, unpack
from models.layers.engines.gradient import Backward, Gradients, Walked, Weights
from models.layers.engines.loops import Loops
from models.layers.engines.vectorized import vectorized

Tensor = Any
States = tuple[Tensor, ...]
log = logging.getLogger(__name__)


def why_not(layer: AskedLayer) -> list[str]:
    """Reasons why cuDNN cannot run this layer; empty when it can."""
    reasons = fused.why_not(layer)  # what runs where there is no GPU
    if not reasons and layer.cell.equation not in CUDNN_FORMS:
        reasons.append(f"cuDNN has no {layer.cell.equation.__name__}")
    if use_cudnn(layer) is False:
        reasons.append("use_cudnn is False")
    if layer.recurrent_dropout:
        reasons.append(f"recurrent_dropout is {layer.recurrent_dropout}, cuDNN has none")
    if layer.compute_dtype not in ("float16", "float32", "float64"):
        reasons.append(f"the compute dtype is {layer.compute_dtype}, cuDNN has float16, float32 and float64")
    return reasons


def run(
    layer: AskedLayer,
    inputs: Tensor,
    before: Any,
    mask: Tensor | None,
    recurrent_mask: Tensor | None,
    training: bool | None,
) -> tuple[Tensor, Any]:
    """Walks through time in time-major order; see `engines.Engine` for shapes."""
    cell = layer.cell
    loops = Loops.of(cell, mask, training=training)
    gpu = Gpu(CUDNN_FORMS[cell.equation], mask, cell.units)

    # both ways of a choice must leave the same kinds of tensors: each leaves the other's empty

    def forward(x: Tensor, weights: Weights, start: States, keep: bool) -> Walked:
        if vectorized():
            log.debug("%s is vectorized, as a choice by device cannot be: the fused loops, on any device", layer.name)
            return loops.forward(x, weights, start, keep)

        def here() -> Walked:
            walked = gpu.forward(x, weights, start, keep)
            return walked._replace(saved=(*loops.nothing_kept(x, weights), *walked.saved) if keep else ())

        def elsewhere() -> Walked:
            walked = loops.forward(x, weights, start, keep)
            nothing = (tf.zeros([0], x.dtype), tf.zeros([0], tf.int32))
            return walked._replace(saved=(*walked.saved, *nothing) if keep else ())

        return gpu.choose(x, here, elsewhere)

    def backward(
        x: Tensor, weights: Weights, start: States, walked: Walked, d_outputs: Tensor, d_last: States
    ) -> Gradients:
        if vectorized():
            # In a jacobian the way back is vectorized and the way there was not. What it left may be cuDNN's, of which
            # the loops know nothing.
            if len(walked.saved) > len(loops.step.kept):
                walked = loops.forward(x, weights, start, True)
            return loops.backward(x, weights, start, walked, d_outputs, d_last)

        *kept, reserved, host_reserved = walked.saved

        def way(backward: Backward, *saved: Tensor) -> Callable[[], Gradients]:
            return lambda: backward(x, weights, start, walked._replace(saved=saved), d_outputs, d_last)

        return gpu.choose(x, way(gpu.backward, reserved, host_reserved), way(loops.backward, *kept))

    return gradient.walk(cell, inputs, before, forward, backward, training is not False)


@dataclass(frozen=True)
class Gpu:
    """cuDNN's forward and backward kernels, with the arguments and results of the fused engine's loops."""

    form: CudnnForm
    mask: Tensor | None
    units: int

    def choose(self, x: Tensor, on_gpu: Callable[[], Any], elsewhere: Callable[[], Any]) -> Any:
        """Runs one of two ways for x, by the device, the length and the mask that are there when the graph runs."""

        # both ways may end in the loops, which are traced once for both
        traced_once = elsewhere if tf.executing_eagerly() else tf.function(elsewhere, autograph=False)

        def guarded() -> Any:
            takes = self._takes(x)
            return on_gpu() if takes is None else tf.cond(takes, on_gpu, traced_once)

        def inlined() -> Any:
            # TensorFlow puts the chosen branch of a stateful choice in the choice's place, but runs a stateless one as
            # a function of its own: 6.1 ms in place of 1.1 for a vanilla RNN at batch 1, 64 steps, 256 units.
            with tf.control_dependencies([tf.raw_ops.DeviceIndex(device_names=["CPU"])]):
                return traced_once()

        # each device that is named, and the default, is a branch to be traced: so only one is
        return tf.__internal__.execute_fn_for_device({"GPU": guarded}, default_fn=inlined)

    def forward(self, x: Tensor, weights: Weights, start: States, keep: bool) -> Walked:
        """cuDNN's way there; saved are its numbers and integers for the way back."""
        outputs, h, c, reserved, host_reserved = tf.raw_ops.CudnnRNNV3(
            **self._arguments(x, weights, start), is_training=keep, **self._attributes()
        )
        last = tuple(part[0] for part in (h, c)[: len(start)])
        # cuDNN leaves zeros past the lengths; the loops repeat the state there
        return Walked(self._past_the_end(outputs, last[0]), last, (reserved, tf.cast(host_reserved, tf.int32)))

    def backward(
        self, x: Tensor, weights: Weights, start: States, walked: Walked, d_outputs: Tensor, d_last: States
    ) -> Gradients:
        """cuDNN's way back."""
        reserved, host_reserved = walked.saved
        d_outputs, d_h = self._cut(d_outputs, d_last[0])
        h, c = self._states(walked.last)
        d_hs, d_cs = self._states((d_h, *d_last[1:]))
        d_x, d_h, d_c, d_params = tf.raw_ops.CudnnRNNBackpropV3(
            **self._arguments(x, weights, start),
            output=self._past_the_end(walked.outputs, tf.zeros_like(walked.last[0])),
            output_h=h,
            output_c=c,
            output_backprop=d_outputs,
            output_h_backprop=d_hs,
            output_c_backprop=d_cs,
            reserve_space=reserved,
            host_reserved=tf.cast(host_reserved, tf.int8),
            **self._attributes(),
        )
        d_start = tuple(part[0] for part in (d_h, d_c)[: len(start)])
        return Gradients(d_x, Weights(*unpack(d_params, self.form, x.shape[-1], self.units)), d_start)

    def _takes(self, x: Tensor) -> Tensor | None:
        """Whether cuDNN can walk through x, as a running graph finds out; None when it can for sure."""
        if self.mask is not None:
            return self._takes_mask()
        return None if x.shape[0] else tf.shape(x)[0] > 0

    def _takes_mask(self) -> Tensor:
        """Whether each row of the mask is valid steps, at least one, then padding."""
        lengths = self._lengths_of_mask()
        right_padded = tf.sequence_mask(lengths, tf.shape(self.mask)[1])
        return tf.reduce_all(tf.equal(right_padded, self.mask)) & tf.reduce_all(lengths > 0)

    def _arguments(self, x: Tensor, weights: Any, start: Any) -> dict[str, Tensor]:
        h, c = self._states(start)
        lengths = tf.fill([tf.shape(x)[1]], tf.shape(x)[0]) if self.mask is None else self._lengths_of_mask()
        return {"input": x, "input_h": h, "input_c": c, "params": pack(weights, self.form), "sequence_lengths": lengths}

    def _attributes(self) -> dict[str, Any]:
        return {"rnn_mode": self.form.mode, "time_major": True}

    def _states(self, parts: Any) -> list[Tensor]:
        """h and c with cuDNN's axis of layers; recurrences without c give zeros, which cuDNN does not look at."""
        return [tf.expand_dims(part, 0) for part in (*parts, tf.zeros_like(parts[0]))[:2]]

    def _lengths_of_mask(self) -> Tensor:
        return tf.reduce_sum(tf.cast(self.mask, tf.int32), axis=1)

    def _past_the_end(self, outputs: Tensor, value: Tensor) -> Tensor:
        if self.mask is None:
            return outputs
        return tf.where(tf.transpose(self.mask)[:, :, None], outputs, value[None])

    def _cut(self, d_outputs: Tensor, d_h: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of outputs past the end belong to the last state, which is repeated there."""
        if self.mask is None:
            return d_outputs, d_h
        valid = tf.transpose(self.mask)[:, :, None]
        zeros = tf.zeros_like(d_outputs)
        return tf.where(valid, d_outputs, zeros), d_h + tf.reduce_sum(tf.where(valid, zeros, d_outputs), axis=0)
