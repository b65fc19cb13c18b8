"""All engines against an independent reference in numpy and against keras.layers, values and gradients."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.layers import GRU, LSTM, Recurrence, engines, slide_matrix
from models.layers.cell import RecurrentCell
from models.layers.engines.fused_steps import FUSED_STEPS
from models.layers.equations.lstm import lstm_step
from tests.models.layers import slides_in_numpy
from tests.models.layers.peers import PEERS

FEATURES, UNITS = 3, 4


def pair(Layer, engine, batch, steps, **options):
    """Our layer and Keras's with the same distinct random weights."""
    options = {"return_sequences": True, "return_state": True, **options}
    ours, theirs = Layer(UNITS, engine=engine, **options), PEERS[Layer](UNITS, **options)
    rng = np.random.default_rng(3)
    for layer in (ours, theirs):
        layer.build((batch, steps, FEATURES))
    weights = [rng.normal(scale=0.6, size=w.shape) for w in ours.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


def outputs_and_gradients(layer, inputs, start, mask=None, training=None):
    """All outputs, and the gradients for inputs, initial states and weights of a sum that weighs each differently."""
    with tf.GradientTape() as tape:
        tape.watch([inputs, *start])
        results = layer(inputs, initial_state=start, mask=mask, training=training)
        loss = sum(tf.reduce_sum(tf.sin(result * (k + 1.0))) for k, result in enumerate(results))
    return results, tape.gradient(loss, [inputs, *start, *(v.value for v in layer.trainable_variables)])


def sequences(batch, steps, parts, seed=1):
    rng = np.random.default_rng(seed)
    inputs = tf.constant(rng.normal(size=(batch, steps, FEATURES)), tf.float32)
    return inputs, [tf.constant(rng.normal(size=(batch, UNITS)), tf.float32) for _ in range(parts)]


def assert_close(ours, theirs, tolerance):
    for mine, its in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        scale = max(1.0, float(np.max(np.abs(its), initial=0)))
        np.testing.assert_allclose(mine, its, atol=tolerance * scale)


def test_every_step_of_every_sequence_is_the_step_of_the_slide(Layer, engine):
    layer, _ = pair(Layer, engine, 2, 6)
    inputs, start = sequences(2, 6, len(layer.cell.state_size))
    outputs, *last = layer(inputs, initial_state=start)
    W = slide_matrix(layer).astype(np.float64)
    biases = biases_by_hand(layer)
    for row in range(2):
        states = slides_in_numpy.RUN[Layer.__qualname__](
            W, *biases, inputs[row].numpy().astype(np.float64), *(s[row].numpy().astype(np.float64) for s in start)
        )
        np.testing.assert_allclose(outputs[row], [state[0] for state in states], atol=2e-6)
        for part, value in enumerate(last):
            np.testing.assert_allclose(value[row], states[-1][part], atol=2e-6)


def biases_by_hand(layer):
    """The bias in the slide's order of gates, written out for the layers that differ in memory."""
    bias = layer.bias.numpy()
    if isinstance(layer, LSTM):
        i, f, g, o = np.split(bias, 4)
        return [np.concatenate([i, f, o, g])]
    return list(bias) if isinstance(layer, GRU) else [bias]


@pytest.mark.parametrize("options", [{}, {"go_backwards": True}, {"use_bias": False}, {"zero_output_for_mask": True}])
@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "gapped mask"])
def test_outputs_states_and_all_gradients_are_those_of_keras(Layer, engine, options, masked):
    ours, theirs = pair(Layer, engine, 4, 7, **options)
    inputs, start = sequences(4, 7, len(ours.cell.state_size))
    mask = None
    if masked:
        mask = np.random.default_rng(5).random((4, 7)) > 0.4
        mask[1], mask[2, :3] = False, False  # one sequence of padding only, one padded on the left
        mask = tf.constant(mask)
    results, gradients = outputs_and_gradients(ours, inputs, start, mask)
    expected, expected_gradients = outputs_and_gradients(theirs, inputs, start, mask)
    assert_close(results, expected, 2e-6)
    assert_close(gradients, expected_gradients, 2e-6)


def test_a_call_that_saves_nothing_for_a_gradient_has_the_same_gradient(Layer, engine):
    ours, theirs = pair(Layer, engine, 4, 7)
    inputs, start = sequences(4, 7, len(ours.cell.state_size))
    mask = tf.sequence_mask([7, 1, 0, 4], 7)
    results, gradients = outputs_and_gradients(ours, inputs, start, mask, training=False)
    expected, expected_gradients = outputs_and_gradients(theirs, inputs, start, mask)
    assert_close(results, expected, 2e-6)
    assert_close(gradients, expected_gradients, 2e-6)


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "graph"])
def test_a_tape_that_is_asked_twice_answers_the_same(Layer, engine, traced):
    layer, _ = pair(Layer, engine, 4, 7)
    inputs, start = sequences(4, 7, len(layer.cell.state_size))

    def twice(inputs):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(inputs)
            outputs = layer(inputs, initial_state=start, training=True)[0]
        return [tape.gradient(outputs, [inputs, layer.kernel.value]) for _ in range(2)]

    first, second = (tf.function(twice) if traced else twice)(inputs)
    assert_close(first, second, 0)


@pytest.mark.parametrize("training", [False, None], ids=["inference", "unsaid"])
def test_a_graph_that_was_traced_without_xla_can_be_compiled_later(Layer, engine, training):
    layer, _ = pair(Layer, engine, 4, 7)
    inputs, _ = sequences(4, 7, 1)
    signature = tf.function(lambda x: layer(x, training=training)[0])
    plain = signature.get_concrete_function(tf.TensorSpec([None, None, FEATURES]))
    compiled = tf.function(lambda x: plain(x), jit_compile=True)
    assert_close(compiled(inputs), plain(inputs), 2e-6)


@pytest.mark.parametrize("use_bias", [True, False])
def test_the_first_form_of_the_gru_is_that_of_keras(use_bias):
    ours, theirs = pair(GRU, "equation", 3, 5, reset_after=False, use_bias=use_bias)
    inputs, start = sequences(3, 5, 1)
    mask = tf.constant(np.random.default_rng(5).random((3, 5)) > 0.3)
    results = [outputs_and_gradients(layer, inputs, start, mask) for layer in (ours, theirs)]
    assert_close(*results, 2e-6)
    assert engines.why_not("fused", ours) == ["gru_step has no fused step"]


@settings(max_examples=15, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("Layer", PEERS)
def test_any_batch_length_and_mask_gives_the_same_in_every_engine(Layer, data):
    batch, steps = data.draw(st.integers(1, 4), "batch"), data.draw(st.integers(1, 6), "steps")
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=batch * steps, max_size=batch * steps), "mask"))
    mask = tf.constant(mask.reshape(batch, steps))
    inputs, start = sequences(batch, steps, len(Layer.Cell.State._fields))
    layers = {name: pair(Layer, name, batch, steps)[0] for name in engines.ENGINES}
    results = {name: outputs_and_gradients(layer, inputs, start, mask) for name, layer in layers.items()}
    assert_close(results["fused"], results["equation"], 2e-6)
    assert_close(results["cudnn"], results["equation"], 2e-6)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_a_traced_layer_with_free_batch_and_time_answers_as_an_eager_one(Layer, engine, jit_compile):
    layer, _ = pair(Layer, engine, None, None)
    signature = [tf.TensorSpec([None, None, FEATURES]), tf.TensorSpec([None, None], tf.bool)]
    traced = tf.function(
        lambda inputs, mask: outputs_and_gradients(layer, inputs, zeros(layer, inputs), mask),
        input_signature=None if jit_compile else signature,
        jit_compile=jit_compile,
    )
    for batch, steps in ((3, 5), (1, 2)):
        inputs, _ = sequences(batch, steps, 0, seed=batch)
        mask = tf.sequence_mask([steps - 1] * batch, steps)
        expected = outputs_and_gradients(layer, inputs, zeros(layer, inputs), mask)
        assert_close(traced(inputs, mask), expected, 3e-6)


def zeros(layer, inputs):
    return [tf.zeros([tf.shape(inputs)[0], UNITS]) for _ in layer.cell.state_size]


def test_a_padded_time_step_leaves_the_state_as_it_was(Layer, engine):
    layer, _ = pair(Layer, engine, 2, 8)
    inputs, start = sequences(2, 8, len(layer.cell.state_size))
    _, *padded = layer(inputs, initial_state=start, mask=tf.sequence_mask([5, 5], 8))
    _, *short = layer(inputs[:, :5], initial_state=start)
    assert_close(padded, short, 1e-7)


def test_a_sequence_in_two_chunks_gives_what_it_gives_in_one(Layer, engine):
    layer, _ = pair(Layer, engine, 2, 8)
    inputs, start = sequences(2, 8, len(layer.cell.state_size))
    whole, *last = layer(inputs, initial_state=start)
    first, *between = layer(inputs[:, :3], initial_state=start)
    second, *end = layer(inputs[:, 3:], initial_state=between)
    assert_close(tf.concat([first, second], axis=1), whole, 1e-6)
    assert_close(end, last, 1e-6)


def test_no_time_steps_give_the_initial_state_back(Layer, engine):
    if engine == "compiled":
        pytest.skip("XLA reads no empty sequence; no steps that are known when the graph is made are answered")
    layer, _ = pair(Layer, engine, None, None)
    _, start = sequences(2, 1, len(layer.cell.state_size))
    traced = tf.function(
        layer, input_signature=[tf.TensorSpec([None, None, FEATURES]), [tf.TensorSpec([2, UNITS])] * len(start)]
    )
    outputs, *last = traced(tf.zeros([2, 0, FEATURES]), start)
    assert outputs.shape == (2, 0, UNITS)
    assert_close(last, start, 0)


def test_the_fused_gradient_is_the_slope_of_the_loss(Layer):
    layer = Layer(UNITS, engine="fused", return_sequences=True, dtype="float64")
    rng = np.random.default_rng(2)
    inputs = tf.constant(rng.normal(size=(2, 5, FEATURES)))
    layer.build(inputs.shape)
    layer.set_weights([rng.normal(scale=0.6, size=w.shape) for w in layer.get_weights()])

    def loss():
        return tf.reduce_sum(tf.sin(layer(inputs)))

    with tf.GradientTape() as tape:
        value = loss()
    variables = [v.value for v in layer.trainable_variables]
    for variable, gradient in zip(variables, tape.gradient(value, variables), strict=True):
        direction = tf.constant(rng.normal(size=variable.shape))
        base = tf.identity(variable)
        slopes = []
        for sign in (1, -1):
            variable.assign(base + sign * 1e-6 * direction)
            slopes.append(loss())
        variable.assign(base)
        slope = (slopes[0] - slopes[1]) / 2e-6
        np.testing.assert_allclose(tf.reduce_sum(gradient * direction), slope, rtol=1e-6)


def test_swapped_gates_do_not_pass(monkeypatch):
    """The battery would see a fused step whose i and o are exchanged."""
    right = FUSED_STEPS[lstm_step]

    def swapped(x, u, bias, before):
        i, f, g, o = tf.split(x, 4, axis=-1)
        return right.forward(tf.concat([o, f, g, i], axis=-1), u, bias, before)

    monkeypatch.setitem(FUSED_STEPS, lstm_step, dataclasses.replace(right, forward=swapped))
    with pytest.raises(AssertionError, match="Mismatched elements"):
        test_every_step_of_every_sequence_is_the_step_of_the_slide(LSTM, "fused")


@pytest.mark.parametrize("engine", ["equation", "fused", "auto"])
def test_a_transposed_kernel_does_not_pass(Layer, engine, monkeypatch):
    """The battery would see a recurrent kernel that acts by its transpose, gate by gate."""
    right = RecurrentCell.weights_by_role

    def transposed(cell):
        kernel, recurrent_kernel, *biases = right(cell)
        gates = tf.split(recurrent_kernel, len(cell.gates), axis=1)
        return kernel, tf.concat([tf.transpose(gate) for gate in gates], axis=1), *biases

    def recur(cell, h):
        _, recurrent_kernel, _, bias = transposed(cell)
        u = tf.linalg.matmul(h, recurrent_kernel)
        return u if bias is None else u + bias

    monkeypatch.setattr(RecurrentCell, "weights_by_role", transposed)
    monkeypatch.setattr(RecurrentCell, "recur", recur)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        test_every_step_of_every_sequence_is_the_step_of_the_slide(Layer, engine)


def test_an_engine_that_cannot_run_a_layer_says_why(Layer):
    layer = Layer(UNITS, activation="relu", engine="fused")
    assert engines.why_not("fused", layer) == ["tanh is relu, the fused gradient is written for tanh"]
    with pytest.raises(ValueError, match=r"engine='fused' cannot run .* tanh is relu.* engine=\"auto\" takes one"):
        layer(tf.zeros([1, 2, 3]))


def test_auto_takes_the_equation_where_the_fused_engine_cannot_run(Layer, caplog):
    assert engines.choose(Layer(UNITS)).name == "cudnn"
    assert engines.choose(Layer(UNITS, recurrent_dropout=0.1)).name == "fused"
    layer = Layer(UNITS, activation="relu", name="rectified")
    with caplog.at_level("DEBUG"):
        layer(tf.zeros([1, 2, 3]))
        layer(tf.zeros([1, 2, 3]))
    assert caplog.messages.count("rectified runs on the equation engine") == 1


@pytest.mark.parametrize("batch", [1, 16, 17])
def test_the_halves_of_a_batch_give_what_the_whole_gives(Layer, batch):
    options = {"dropout": 0.0, "recurrent_dropout": 0.0}
    compiled, fused = (pair(Layer, name, batch, 4, **options)[0] for name in ("compiled", "fused"))
    inputs, start = sequences(batch, 4, len(fused.cell.state_size))
    mask = tf.constant(np.random.default_rng(5).random((batch, 4)) > 0.3)
    assert_close(*(outputs_and_gradients(layer, inputs, start, mask) for layer in (compiled, fused)), 3e-6)


def test_auto_never_takes_what_cannot_be_exported(Layer):
    assert "compiled" not in engines.AUTO
    assert set(engines.AUTO) < set(engines.ENGINES)


def test_an_unknown_engine_is_answered_with_the_known_ones():
    with pytest.raises(
        ValueError, match="engine='cuda' is not known; it expected one of auto, cudnn, fused, equation, compiled"
    ):
        LSTM(UNITS, engine="cuda")


def test_every_engine_of_the_table_can_be_asked_why_it_cannot_run_a_layer(engine):
    assert engines.why_not(engine, LSTM(UNITS)) == []
    assert issubclass(LSTM, Recurrence)
