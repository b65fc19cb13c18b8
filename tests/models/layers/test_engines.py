"""All engines against an independent reference in numpy and against keras.layers, values and gradients."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from models.layers import GRU, LSTM, Recurrence, VanillaRNN, engines, slide_matrix
from models.layers.cell import RecurrentCell
from models.layers.engines.fused_steps import FUSED_STEPS
from models.layers.equations.gru import gru_reset_after_step
from models.layers.equations.lstm import lstm_step
from tests.models.layers import slides_in_numpy
from tests.models.layers.peers import by_turns, parametrize
from tests.models.layers.side_by_side import (
    FEATURES,
    UNITS,
    assert_close,
    outputs_and_gradients,
    pair,
    sequences,
)


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


OPTIONS = [{}, {"go_backwards": True}, {"use_bias": False}, {"zero_output_for_mask": True}]


@parametrize(("Layer", "engine", "options", "masked"), by_turns([*engines.ENGINES], OPTIONS, [False, True]))
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


@parametrize(("Layer", "engine", "traced"), by_turns([*engines.ENGINES], [True, False]))
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


@parametrize(("Layer", "engine", "training"), by_turns([*engines.ENGINES], [False, None]))
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


@parametrize(("Layer", "engine", "jit_compile"), by_turns([*engines.ENGINES], [False, True]))
def test_a_traced_layer_with_free_batch_and_time_answers_as_an_eager_one(Layer, engine, jit_compile):
    layer, _ = pair(Layer, engine, None, None)
    signature = [tf.TensorSpec([None, None, FEATURES]), tf.TensorSpec([None, None], tf.bool)]
    traced = tf.function(
        lambda inputs, mask: outputs_and_gradients(layer, inputs, zeros(layer, inputs), mask),
        input_signature=None if jit_compile else signature,
        jit_compile=jit_compile,
    )
    for batch, steps in [(3, 5)] if jit_compile else [(3, 5), (1, 2)]:  # for XLA each is a graph of its own
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


def battery(Layer, engine):
    test_every_step_of_every_sequence_is_the_step_of_the_slide(Layer, engine)
    test_outputs_states_and_all_gradients_are_those_of_keras(Layer, engine, {}, masked=False)


def exchanged(z, Layer):
    """z with two gates in each other's place: i and o of an LSTM, z and r of a GRU."""
    parts = tf.split(z, len(Layer.Cell.gates), axis=-1)
    other = 3 if Layer is LSTM else 1
    parts[0], parts[other] = parts[other], parts[0]
    return tf.concat(parts, axis=-1)


GATED = pytest.mark.parametrize(("Layer", "equation"), [(LSTM, lstm_step), (GRU, gru_reset_after_step)])


@GATED
@pytest.mark.parametrize("side", ["input", "old state"])
def test_gates_swapped_in_the_fused_step_do_not_pass(Layer, equation, side, monkeypatch):
    right = FUSED_STEPS[equation]

    def swapped(x, u, bias, before):
        x, u = (exchanged(x, Layer), u) if side == "input" else (x, exchanged(u, Layer))
        return right.forward(x, u, bias, before)

    monkeypatch.setitem(FUSED_STEPS, equation, dataclasses.replace(right, forward=swapped))
    with pytest.raises(AssertionError, match="Mismatched elements"):
        battery(Layer, "fused")


@GATED
def test_gates_swapped_on_the_fused_way_back_do_not_pass(Layer, equation, monkeypatch):
    right = FUSED_STEPS[equation]

    def swapped(kept, h, d_after):
        d_x, *rest = right.backward(kept, h, d_after)
        return exchanged(d_x, Layer), *rest

    monkeypatch.setitem(FUSED_STEPS, equation, dataclasses.replace(right, backward=swapped))
    test_every_step_of_every_sequence_is_the_step_of_the_slide(Layer, "fused")
    with pytest.raises(AssertionError, match="Mismatched elements"):
        battery(Layer, "fused")


def test_gates_swapped_in_the_equation_do_not_pass(monkeypatch):
    def swapped_lstm(z, before, **activations):
        return lstm_step(z._replace(i=z.o, o=z.i), before, **activations)

    def swapped_gru(x, u, before, **activations):
        return gru_reset_after_step(x._replace(z=x.r, r=x.z), u._replace(z=u.r, r=u.z), before, **activations)

    monkeypatch.setattr(LSTM.Cell, "step", staticmethod(swapped_lstm))
    monkeypatch.setattr("models.layers.gru.gru_reset_after_step", swapped_gru)
    for Layer in (LSTM, GRU):
        with pytest.raises(AssertionError, match="Mismatched elements"):
            battery(Layer, "equation")


@pytest.mark.parametrize("matrix", [0, 1], ids=["kernel", "recurrent kernel"])
def test_a_transposed_kernel_does_not_pass(Layer, engine, matrix, monkeypatch):
    """The battery would see a kernel whose numbers lie by columns, gate by gate."""
    right = RecurrentCell.weights_by_role

    def transposed(cell):
        weights = list(right(cell))
        gates = tf.split(weights[matrix], len(cell.gates), axis=1)
        weights[matrix] = tf.concat([tf.reshape(tf.transpose(gate), gate.shape) for gate in gates], axis=1)
        return tuple(weights)

    def project(cell, inputs):
        kernel, _, bias, _ = transposed(cell)
        return tf.linalg.matmul(inputs, kernel) + bias

    def recur(cell, h):
        _, recurrent_kernel, _, bias = transposed(cell)
        u = tf.linalg.matmul(h, recurrent_kernel)
        return u if bias is None else u + bias

    for mutant, name in ((transposed, "weights_by_role"), (project, "project"), (recur, "recur")):
        monkeypatch.setattr(RecurrentCell, name, mutant)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        battery(Layer, engine)


@pytest.mark.parametrize("engine", ["fused", "compiled", "cudnn"])
def test_an_engine_with_a_loop_does_not_unroll_and_says_so(Layer, engine):
    layer = Layer(UNITS, unroll=True, engine=engine)
    reason = "unroll is True, the fused engine has one loop"
    assert engines.why_not(engine, layer) == [reason]
    with pytest.raises(ValueError, match=f"engine='{engine}' cannot run {Layer.__qualname__} .*{reason}"):
        layer(tf.zeros([1, 2, 3]))
    assert engines.choose(Layer(UNITS, unroll=True)).name == "equation"


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


@parametrize(("Layer", "batch"), [(LSTM, 1), (LSTM, 16), (LSTM, 17), (GRU, 17), (VanillaRNN, 16)])
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
