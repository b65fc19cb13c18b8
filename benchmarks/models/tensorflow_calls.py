"""Our layers and those of keras.layers, by task: a traced function each, plain or compiled by XLA.

A concrete function is called, with its tensors: what a layer costs inside a model, without the look-up of a
`tf.function` (a tenth of a millisecond for each call, the same for both).
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import models
from benchmarks.models import cases
from benchmarks.models.cases import Arrays, Case
from benchmarks.models.contenders import CALLED, OURS, Contender
from benchmarks.models.machine import THREADS

tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(THREADS)


def make(case: Case, name: str) -> Contender:
    """The contender "ours", "keras", one of them "compiled", "ours halves" or "ours called"."""
    traced = Traced(jit_compile=name.endswith("compiled"), short=name == CALLED)
    return {"forward": forward, "gradients": gradients, "step": step, "train": train}[case.task](case, name, traced)


class Traced:
    """Turns a function of tensors into a call that traces and compiles at its first time."""

    def __init__(self, *, jit_compile: bool, short: bool) -> None:
        self.jit_compile, self.short = jit_compile, short

    def __call__(self, function: Callable[..., Any], *tensors: Any) -> Callable[[], Any]:
        """A call of the function's graph with these tensors."""
        traced: list[Any] = []

        def call() -> Any:
            if not traced and self.short:
                traced.append(models.compiled_call(function, *tensors))
            elif not traced:
                traced.append(tf.function(function, jit_compile=self.jit_compile).get_concrete_function(*tensors))
            return traced[0](*tensors)

        return call


def recurrent_layer(case: Case, name: str, level: int = 0, **options: Any) -> Any:
    """Our layer on its fused engine or, for halves, the compiled one, or the one of Keras, with the case's weights."""
    Layer, engine = getattr(models, case.kind), "compiled" if name.endswith("halves") else "fused"
    layer = models.from_torch(Layer, cases.weights(case), level=level, engine=engine, **options)
    return layer if name in OURS else models.to_keras(layer)


def forward(case: Case, name: str, traced: Traced) -> Contender:
    """The outputs of all time steps."""
    layer = recurrent_layer(case, name, return_sequences=True)
    call = traced(lambda x: layer(x, training=False), tf.constant(cases.inputs(case)))
    return Contender(call, lambda: {"outputs": call().numpy()})


def gradients(case: Case, name: str, traced: Traced) -> Contender:
    """The outputs, and the gradients of inputs and weights."""
    layer = recurrent_layer(case, name, return_sequences=True)
    variables = [v.value for v in layer.trainable_variables]

    def there_and_back(x: Any, from_above: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
        return outputs, tape.gradient(outputs, [x, *variables], output_gradients=from_above)

    call = traced(there_and_back, tf.constant(cases.inputs(case)), tf.constant(cases.cotangent(case)))

    def numbers() -> Arrays:
        outputs, (d_inputs, *d_weights) = call()
        return {"outputs": outputs.numpy(), "d inputs": d_inputs.numpy(), **in_torchs_form(case, d_weights)}

    return Contender(call, numbers)


def in_torchs_form(case: Case, d_weights: list[Any]) -> Arrays:
    """Gradients by torch's names; where one bias serves both sides, torch's second has the gradient of the first."""
    carrier = models.from_torch(getattr(models, case.kind), cases.weights(case))
    carrier.set_weights([d.numpy() for d in d_weights])
    arrays = models.to_torch(carrier)
    if case.kind != "GRU":
        arrays["bias_hh_l0"] = arrays["bias_ih_l0"]
    return {f"d {name}": array for name, array in arrays.items()}


def step(case: Case, name: str, traced: Traced) -> Contender:
    """One time step with the state handed in and out, as a server does that streams."""
    layer = recurrent_layer(case, name, return_state=True)
    tensors = [tf.constant(array) for array in (cases.inputs(case), *cases.states(case))]
    call = traced(lambda x, *before: layer(x, initial_state=list(before), training=False), *tensors)
    return Contender(call, lambda: {f"state {part}": value.numpy() for part, value in enumerate(call()[1:])})


def train(case: Case, name: str, traced: Traced) -> Contender:
    """One step of Adam on a classifier of sequences: two layers and a readout of the last state."""
    first = recurrent_layer(case, name, return_sequences=True)
    second = recurrent_layer(case, name, level=1)
    head = keras.layers.Dense(cases.CLASSES)
    model = keras.Sequential([keras.Input((case.time, case.features)), first, second, head])
    head.set_weights(cases.readout(case))
    optimizer, loss_of = keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer.build(model.trainable_variables)

    def one_step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, [v.value for v in model.trainable_variables]))
        return loss

    call = traced(one_step, tf.constant(cases.inputs(case)), tf.constant(cases.labels(case)))
    return Contender(call, lambda: {"first loss": call().numpy(), "later losses": np.array([call() for _ in range(5)])})
