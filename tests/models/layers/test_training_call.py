"""A call in training, as model.fit makes it: in a graph that XLA does not compile, the loops write steps in place."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import VanillaRNN, engines
from tests.models.layers.peers import PEERS, by_turns, parametrize
from tests.models.layers.side_by_side import (
    FEATURES,
    FORMS,
    UNITS,
    assert_close,
    built,
    outputs_and_gradients,
    pair,
    sequences,
)

BACKWARDS = {"go_backwards": True, "use_bias": False, "zero_output_for_mask": True}
ENGINES = [("fused", {}), ("fused", BACKWARDS), ("cudnn", {})]  # cudnn has the same loops behind a choice
CALLS = [
    *((layer.__qualname__, *called, masked) for layer, called, masked in by_turns(ENGINES, [False, True])),
    *(("GRU, reset before", "equation", {}, masked) for masked in (False, True)),
]


def paddings(batch, steps):
    """A mask of each kind: right, left, with gaps, of nothing but padding; the first two have such a row too."""
    right = tf.sequence_mask(np.linspace(steps, 0, batch, dtype=int), steps)
    gapped = tf.constant(np.random.default_rng(5).random((batch, steps)) > 0.4)
    return [right, right[:, ::-1], gapped, tf.zeros([batch, steps], tf.bool)]


@pytest.mark.parametrize(("form", "engine", "options", "masked"), CALLS)
def test_outputs_states_and_all_gradients_of_a_training_call_are_those_of_keras(form, engine, options, masked):
    Layer, of_form = FORMS[form]
    ours, theirs = pair(Layer, engine, None, None, **of_form, **options)
    parts = len(ours.cell.state_size)

    def call(inputs, start, mask=None):
        return outputs_and_gradients(ours, inputs, start, mask, training=True)

    free = [tf.TensorSpec([None, None, FEATURES]), [tf.TensorSpec([None, UNITS])] * parts]
    traced = tf.function(call, input_signature=[*free, *([tf.TensorSpec([None, None], tf.bool)] if masked else [])])
    for batch, steps in ((4, 7), (1, 1)):
        inputs, start = sequences(batch, steps, parts)
        for mask in paddings(batch, steps) if masked else [None]:
            results, gradients = traced(inputs, start) if mask is None else traced(inputs, start, mask)
            expected, expected_gradients = outputs_and_gradients(theirs, inputs, start, mask, training=True)
            assert_close(results, expected, 2e-6)
            assert_close(gradients, expected_gradients, 4e-6)


def test_a_sequence_that_others_read_too_is_left_as_it_was(Layer, Peer):
    """A residual stack: its inputs, its sums and the gradients of these each go to a loop and elsewhere."""
    inputs, _ = sequences(3, 5, 0)

    def call(first, second):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            below = inputs + first(inputs, training=True)
            above = below + second(below, training=True)
            loss = tf.reduce_sum(tf.sin(above)) + tf.reduce_sum(below**2)
        weights = [v.value for layer in (first, second) for v in layer.trainable_variables]
        return above, tape.gradient(loss, [inputs, *weights])

    def stack(kind):
        return [built(kind(FEATURES, return_sequences=True)) for _ in range(2)]

    ours, theirs = stack(Layer), stack(Peer)
    assert_close(tf.function(lambda: call(*ours))(), call(*theirs), 4e-6)


@pytest.mark.parametrize("rates", [{"dropout": 0.4}, {"dropout": 0.4, "recurrent_dropout": 0.4}], ids=" and ".join)
def test_the_gradient_goes_through_what_dropout_left(Layer, Peer, rates):
    inputs, start = sequences(4, 6, len(Layer.Cell.State._fields))
    mask = paddings(4, 6)[2]

    def call(kind, traced=False, training=True, **engine):
        layer = built(kind(UNITS, return_sequences=True, return_state=True, seed=3, **rates, **engine))
        way = tf.function(outputs_and_gradients) if traced else outputs_and_gradients
        return way(layer, inputs, start, mask, training=training)

    expected = call(Layer, engine="equation")
    _, untouched = call(Layer, engine="equation", training=False)
    assert not np.allclose(expected[1][0], untouched[0], atol=1e-2), "something was dropped"
    if "recurrent_dropout" not in rates or Layer is VanillaRNN:  # Keras's gated cells leave the old state whole
        assert_close(expected, call(Peer), 4e-6)
    for engine, traced in (("fused", False), ("fused", True), ("cudnn", True), ("compiled", False)):
        if not engines.why_not(engine, Layer(UNITS, **rates)):
            assert_close(call(Layer, traced, engine=engine), expected, 4e-6)


def weights_after_fit(kind, **how):
    """Of a small model over padded sequences that starts from the same weights."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(8, 5, FEATURES)).astype("float32")
    inputs[::2, 3:] = 0
    layers = [keras.layers.Masking(), kind(UNITS), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((None, FEATURES)), *layers])
    model.set_weights([rng.normal(scale=0.6, size=w.shape) for w in model.get_weights()])
    model.compile(keras.optimizers.SGD(0.2), "mse", **how)
    before = model.get_weights()
    model.fit(inputs, inputs.sum(axis=(1, 2)), batch_size=4, epochs=2, shuffle=False, verbose=0)
    return before, model.get_weights()


@parametrize(("Layer", "jit_compile"), by_turns(["auto", True, False]))
def test_fit_ends_with_the_weights_that_keras_ends_with(Layer, jit_compile):
    assert engines.choose(Layer(UNITS)).name == "cudnn", "what is trained when nothing is said"
    before, expected = weights_after_fit(PEERS[Layer], run_eagerly=True)
    assert all(np.abs(new - old).max() > 1e-2 for new, old in zip(expected, before, strict=True))
    assert_close(weights_after_fit(Layer, jit_compile=jit_compile)[1], expected, 1e-5)
