"""Our layers where TensorFlow vectorizes what it traces: TimeDistributed over a time that only the graph knows.

Of such a time Keras (3.15) takes the batch for the number of steps, for its own layers too: both are 3 here."""

import logging

import keras
import numpy as np
import tensorflow as tf

from models.layers import GRU, LSTM, VanillaRNN
from models.layers.engines.vectorized import vectorized
from tests.models.layers.peers import PEERS, by_turns, parametrize

SHAPE = (3, 3, 4, 5)  # batch, outer time, time, features
UNKNOWN = [tf.TensorSpec([None, None, *SHAPE[2:]])]


def test_what_is_being_vectorized_is_told_from_what_is_not():
    """By TensorFlow's name of a scope; where it takes another, this fails first."""
    found = {}

    def note(where, tensor):
        found[where] = vectorized()
        return tensor

    @tf.function
    def whole(x):
        nested = tf.function(lambda row: note("function in a map", row + 1))
        scoped = note("before", x)
        tf.vectorized_map(nested, x)
        tf.vectorized_map(lambda row: note("map in a graph", row + 1), x)
        with tf.name_scope("the_loop_body"):
            note("scope like it", x)
        tf.while_loop(lambda x: x[0, 0] < 1, lambda x: note("loop", x + 1), [x])
        return note("after", scoped)

    x = tf.zeros([2, 3])
    note("eager", x)
    whole(x)
    tf.vectorized_map(lambda row: note("map", row + 1), x)
    inside = {"map", "map in a graph", "function in a map"}
    assert found == {where: where in inside for where in found}
    assert inside < found.keys()


def pair(inner, Layer, **options):
    """TimeDistributed over something made of our layer, and over the same made of Keras's, with the same weights."""
    ours, theirs = (keras.layers.TimeDistributed(inner(kind(4, **options))) for kind in (Layer, PEERS[Layer]))
    rng = np.random.default_rng(7)
    for layer in (ours, theirs):
        layer.build(SHAPE)
    theirs.set_weights([rng.normal(scale=0.6, size=w.shape) for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def sequences(seed=20):
    return np.random.default_rng(seed).normal(size=SHAPE).astype("float32")


INNER = {
    "layer": lambda layer: layer,
    "bidirectional": keras.layers.Bidirectional,
    "model": lambda layer: keras.Sequential([keras.Input(SHAPE[2:]), layer, keras.layers.Dense(2)]),
}


def of_any_time(layer, **how):
    """A model of the layer alone, compiled to be trained."""
    model = keras.Sequential([keras.Input((None, *SHAPE[2:])), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse", **how)
    return model


CALLS = [
    *by_turns(["layer"], [False, True], [True, False]),
    *((LSTM, inner, False, training) for inner in ("bidirectional", "model") for training in (True, False)),
    (GRU, "bidirectional", False, False),
    (VanillaRNN, "model", False, True),
]


@parametrize(("Layer", "inner", "masked", "training"), CALLS)
def test_outputs_and_gradients_are_those_of_keras(Layer, inner, masked, training):
    ours, theirs = pair(INNER[inner], Layer, return_sequences=True)
    mask = None
    if masked:
        mask = tf.constant(np.arange(4) < np.random.default_rng(3).integers(1, 5, size=(*SHAPE[:2], 1)))

    def call(layer, inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, mask=mask, training=training)
            loss = tf.reduce_sum(tf.sin(outputs))
        return outputs, tape.gradient(loss, [inputs, *(v.value for v in layer.trainable_variables)])

    inputs = tf.constant(sequences())
    results = tf.function(lambda x: call(ours, x), input_signature=UNKNOWN)(inputs)
    for mine, its in zip(tf.nest.flatten(results), tf.nest.flatten(call(theirs, inputs)), strict=True):
        np.testing.assert_allclose(mine, its, atol=2e-5)


@parametrize(("Layer", "jit_compile"), by_turns([False, True]))
def test_of_arrays_fit_trains_and_predict_answers_as_with_keras(Layer, jit_compile):
    """The model takes any time; a trace of arrays knows theirs, so that nothing is vectorized here."""
    ours, theirs = pair(INNER["layer"], Layer)
    models = [of_any_time(ours, jit_compile=jit_compile), of_any_time(theirs, run_eagerly=True)]
    inputs = np.concatenate([sequences(), sequences(21)])
    targets = np.random.default_rng(1).normal(size=(6, 3, 4)).astype("float32")
    answers, losses = [], []
    before = [w.copy() for w in models[0].get_weights()]
    for model in models:
        losses.append(model.fit(inputs, targets, batch_size=3, epochs=3, shuffle=False, verbose=0).history["loss"])
        answers.append(model.predict(inputs, batch_size=3, verbose=0))
    np.testing.assert_allclose(*losses, atol=1e-5)
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(*answers, atol=1e-5)
    for old, mine, its in zip(before, *(model.get_weights() for model in models), strict=True):
        assert np.abs(mine - old).max() > 1e-3
        np.testing.assert_allclose(mine, its, atol=1e-5)


def test_fit_and_predict_of_a_data_set_whose_time_is_unknown():
    """Keras (3.15) fits its own layers there with no setting of `jit_compile`: what is expected is a fit of arrays.

    Of the LSTM, as the gradients of each layer are held against Keras's above.
    """
    (ours, theirs), batches = pair(INNER["layer"], LSTM), [sequences(), sequences(21)]
    targets = list(np.random.default_rng(1).normal(size=(2, 3, 3, 4)).astype("float32"))
    unknown = (*UNKNOWN, tf.TensorSpec([None, None, 4]))
    data = tf.data.Dataset.from_generator(lambda: zip(batches, targets, strict=True), output_signature=unknown)
    data = data.apply(tf.data.experimental.assert_cardinality(2))
    models = [of_any_time(ours, jit_compile=False), of_any_time(theirs, run_eagerly=True)]
    mine = models[0].fit(data, epochs=2, verbose=0).history["loss"]
    arrays = (np.concatenate(batches), np.concatenate(targets))
    its = models[1].fit(*arrays, batch_size=3, epochs=2, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(mine, its, atol=1e-5)
    answers = [models[0].predict(data, verbose=0), models[1].predict(arrays[0], batch_size=3, verbose=0)]
    np.testing.assert_allclose(*answers, atol=1e-5)


@parametrize(("Layer", "training"), by_turns([True, False]))
def test_a_jacobian_is_that_of_keras(Layer, training):
    """Its way back is vectorized and its way there is not; of Keras's layer neither is, nor is it traced."""
    ours, theirs = Layer(4), PEERS[Layer](4)
    inputs = tf.constant(sequences()[0])
    for layer in (ours, theirs):
        layer.build(inputs.shape)
    ours.set_weights([np.random.default_rng(7).normal(scale=0.6, size=w.shape) for w in ours.get_weights()])
    theirs.set_weights(ours.get_weights())

    def jacobian(layer, vectorize):
        with tf.GradientTape(persistent=not vectorize) as tape:
            tape.watch(inputs)
            outputs = tf.reduce_sum(layer(inputs, training=training), axis=0)
        return tape.jacobian(outputs, inputs, experimental_use_pfor=vectorize)

    mine = tf.function(lambda: jacobian(ours, vectorize=True))()
    np.testing.assert_allclose(mine, jacobian(theirs, vectorize=False), atol=1e-5)


def test_gradients_for_each_sequence_are_those_of_one_after_the_other(Layer):
    layer, inputs = Layer(4), tf.constant(sequences()[0])
    layer.build(inputs.shape)

    def gradients(sequence):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(layer(sequence[None], training=True)))
        return tape.gradient(loss, [v.value for v in layer.trainable_variables])

    one_by_one = [gradients(sequence) for sequence in inputs]
    for mapped, parts in zip(tf.vectorized_map(gradients, inputs), zip(*one_by_one, strict=True), strict=True):
        np.testing.assert_allclose(mapped, tf.stack(parts), atol=1e-5)


def test_the_log_says_that_the_choice_is_left_out(caplog):
    layer = LSTM(4, name="reader")
    layer.build(SHAPE[1:])

    def said():
        return [record.getMessage() for record in caplog.records if "vectorized" in record.getMessage()]

    with caplog.at_level(logging.DEBUG, logger="models.layers.engines.cudnn"):
        tf.function(layer)(tf.zeros(SHAPE[1:]))
        assert said() == []
        tf.vectorized_map(lambda x: layer(x[None]), tf.zeros(SHAPE[1:]))
    assert said() == ["reader is vectorized, as a choice by device cannot be: the fused loops, on any device"]
