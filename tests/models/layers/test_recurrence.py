"""The Keras conventions that the layers keep."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import GRU, LSTM, VanillaRNN, engines
from tests.models.layers.peers import by_turns, parametrize


def test_weights_move_between_our_layer_and_that_of_keras_in_both_directions(Layer, Peer, rng, distinct):
    inputs = rng.normal(size=(2, 5, 3)).astype("float32")
    ours, theirs = Layer(4), Peer(4)
    for layer in (ours, theirs):
        layer.build(inputs.shape)
    distinct(theirs)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(inputs), theirs(inputs), atol=1e-6)
    distinct(ours, seed=8)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(inputs), theirs(inputs), atol=1e-6)


def test_a_weights_file_of_the_keras_lstm_loads_into_ours_and_the_other_way_round(tmp_path, rng, distinct):
    inputs = rng.normal(size=(2, 5, 3)).astype("float32")
    ours, theirs = (keras.Sequential([keras.Input((5, 3)), layer]) for layer in (LSTM(4), keras.layers.LSTM(4)))
    for seed, (source, target) in enumerate([(theirs, ours), (ours, theirs)]):
        distinct(source, seed=seed)
        source.save_weights(tmp_path / f"{seed}.weights.h5")
        target.load_weights(tmp_path / f"{seed}.weights.h5")
        np.testing.assert_allclose(target(inputs), source(inputs), atol=1e-6)


def test_weights_have_the_names_and_shapes_of_keras(Layer, Peer):
    ours, theirs = Layer(4), Peer(4)
    for layer in (ours, theirs):
        layer.build((None, None, 3))
    assert [(w.name, w.shape) for w in ours.weights] == [(w.name, w.shape) for w in theirs.weights]


def test_activations_are_taken_by_position_as_in_keras(rng, distinct):
    inputs = rng.normal(size=(2, 5, 3)).astype("float32")
    pairs = [
        (LSTM(4, "relu", "hard_sigmoid"), keras.layers.LSTM(4, "relu", "hard_sigmoid")),
        (GRU(4, "relu", "hard_sigmoid"), keras.layers.GRU(4, "relu", "hard_sigmoid")),
        (VanillaRNN(4, "relu"), keras.layers.SimpleRNN(4, "relu")),
    ]
    for ours, theirs in pairs:
        for layer in (ours, theirs):
            layer.build(inputs.shape)
        distinct(ours, theirs)
        np.testing.assert_allclose(ours(inputs), theirs(inputs), atol=1e-5)


def test_a_saved_model_loads_without_custom_objects(Layer, tmp_path, rng):
    inputs = rng.normal(size=(2, 5, 3)).astype("float32")
    options = {"return_sequences": True, "go_backwards": True, "dropout": 0.2, "engine": "equation", "seed": 4}
    model = keras.Sequential([keras.Input((5, 3)), Layer(4, kernel_regularizer="l2", **options)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
    assert {name: getattr(loaded.layers[0], name) for name in options} == options
    assert loaded.layers[0].get_config() == model.layers[0].get_config()


def test_the_layer_stands_in_bidirectional_as_that_of_keras(Layer, Peer, rng, distinct):
    inputs = rng.normal(size=(2, 5, 3)).astype("float32")
    ours, theirs = (keras.layers.Bidirectional(layer(4, return_sequences=True)) for layer in (Layer, Peer))
    for layer in (ours, theirs):
        layer.build(inputs.shape)
    distinct(ours, theirs)
    mask = tf.sequence_mask([3, 5], 5)
    np.testing.assert_allclose(ours(inputs, mask=mask), theirs(inputs, mask=mask), atol=1e-6)


def test_the_layer_stands_in_time_distributed_as_that_of_keras(Layer, Peer, rng, distinct):
    """Over a time that is known; over one that is not, in test_vectorized."""
    inputs = rng.normal(size=(2, 3, 4, 5)).astype("float32")
    ours, theirs = Layer(4, return_sequences=True), Peer(4, return_sequences=True)
    ours, theirs = keras.layers.TimeDistributed(ours), keras.layers.TimeDistributed(theirs)
    for layer in (ours, theirs):
        layer.build(inputs.shape)
    distinct(ours, theirs)

    def outputs_and_gradients(layer, inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            loss = tf.reduce_sum(tf.sin(outputs))
        return outputs, *tape.gradient(loss, [inputs, *(v.value for v in layer.trainable_variables)])

    inputs = tf.constant(inputs)
    for mine, its in zip(outputs_and_gradients(ours, inputs), outputs_and_gradients(theirs, inputs), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-5)


def test_constraints_hold_after_a_step_of_an_optimizer(Layer, Peer, rng, distinct):
    inputs = rng.normal(size=(2, 5, 3)).astype("float32")
    constraints = {"kernel_constraint": "non_neg", "recurrent_constraint": "unit_norm", "bias_constraint": "max_norm"}
    ours, theirs = Layer(4, **constraints), Peer(4, **constraints)
    for layer in (ours, theirs):
        layer.build(inputs.shape)
    distinct(ours, theirs)
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(layer(inputs, training=True)))
        gradients = tape.gradient(loss, [v.value for v in layer.trainable_variables])
        keras.optimizers.SGD(1.0).apply(gradients, layer.trainable_variables)
    for mine, its in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-5)
    kernel, recurrent_kernel, _ = ours.get_weights()
    assert kernel.min() == 0
    np.testing.assert_allclose(np.linalg.norm(recurrent_kernel, axis=0), 1, atol=1e-5)


def test_a_stateful_layer_goes_on_where_the_last_call_ended(Layer, engine, rng, distinct):
    inputs = rng.normal(size=(2, 6, 3)).astype("float32")
    whole, stateful = Layer(4, engine=engine), Layer(4, engine=engine, stateful=True)
    for layer in (whole, stateful):
        layer.build((2, None, 3))
    distinct(whole, stateful)
    stateful(inputs[:, :2])
    np.testing.assert_allclose(stateful(inputs[:, 2:]), whole(inputs), atol=1e-6)
    stateful.reset_state()
    np.testing.assert_allclose(stateful(inputs), whole(inputs), atol=1e-6)


def test_the_cell_runs_in_the_rnn_layer_of_keras(Layer, rng, distinct):
    inputs = rng.normal(size=(2, 6, 3)).astype("float32")
    ours, wrapped = Layer(4), keras.layers.RNN(Layer.Cell(4))
    for layer in (ours, wrapped):
        layer.build(inputs.shape)
    distinct(ours, wrapped)
    np.testing.assert_allclose(wrapped(inputs), ours(inputs), atol=1e-6)


def test_unrolled_steps_give_what_the_loop_gives(Layer, rng, distinct):
    inputs = rng.normal(size=(2, 4, 3)).astype("float32")
    loop, unrolled = Layer(4, return_sequences=True), Layer(4, return_sequences=True, unroll=True)
    for layer in (loop, unrolled):
        layer.build(inputs.shape)
    distinct(loop, unrolled)
    mask = tf.constant([[True, True, False, True], [True] * 4])
    np.testing.assert_allclose(unrolled(inputs, mask=mask), loop(inputs, mask=mask), atol=1e-6)


@parametrize(("Layer", "jit_compile"), by_turns(["auto", False, True]))
def test_fit_trains_the_layer(Layer, jit_compile, rng):
    keras.utils.set_random_seed(0)
    inputs = rng.normal(size=(64, 6, 2)).astype("float32")
    targets = inputs.sum(axis=(1, 2))[:, None] > 0
    model = keras.Sequential([Layer(8, dropout=0.1, recurrent_dropout=0.1), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.03), "binary_crossentropy", jit_compile=jit_compile)
    losses = model.fit(inputs, targets, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
def test_dropout_acts_in_training_only_and_repeats_with_its_seed(Layer, engine, option, rng):
    inputs = rng.normal(size=(4, 6, 3)).astype("float32")

    def fresh():
        keras.utils.set_random_seed(1)
        return Layer(8, engine=engine, seed=3, **{option: 0.5})

    layer = fresh()
    if engines.why_not(engine, layer):
        pytest.skip(f"{engine} has no {option}, as another test says")
    trained = layer(inputs, training=True)
    assert not np.allclose(trained, layer(inputs, training=False), atol=1e-3)
    assert not np.allclose(trained, layer(inputs, training=True), atol=1e-3), "a new mask for each call"
    np.testing.assert_array_equal(fresh()(inputs, training=True), trained)


@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
def test_one_seed_drops_the_same_in_every_engine(Layer, option, rng):
    inputs = rng.normal(size=(4, 6, 3)).astype("float32")
    results = []
    for engine in ("equation", "fused"):
        keras.utils.set_random_seed(1)
        results.append(Layer(8, engine=engine, seed=3, **{option: 0.5})(inputs, training=True))
    np.testing.assert_allclose(*results, atol=1e-6)


def test_without_training_nothing_is_drawn_and_the_seed_stays(Layer, rng):
    layer = Layer(8, seed=3, dropout=0.5, recurrent_dropout=0.5)
    sequences = rng.normal(size=(4, 6, 3)).astype("float32")
    layer.build(sequences.shape)
    seed = keras.ops.convert_to_numpy(layer.cell.seed_generator.state).copy()
    graph = tf.function(lambda x: layer(x, training=False)).get_concrete_function(sequences).graph
    layer(sequences)
    functions = [node for function in graph.as_graph_def().library.function for node in function.node_def]
    ops = {node.op for node in [*graph.as_graph_def().node, *functions]}
    assert not [op for op in ops if "Random" in op or op == "AssignVariableOp"]
    np.testing.assert_array_equal(layer.cell.seed_generator.state, seed)
    layer(sequences, training=True)
    assert not np.array_equal(layer.cell.seed_generator.state, seed)


def test_mixed_precision_computes_low_and_keeps_weights_high(Layer, engine, rng):
    inputs = rng.normal(size=(2, 5, 3)).astype("float32")
    low = Layer(4, engine=engine, dtype="mixed_bfloat16")
    if engines.why_not(engine, low):
        pytest.skip(f"{engine} has no bfloat16, as another test says")
    outputs = low(inputs)
    assert outputs.dtype == tf.bfloat16
    assert {w.dtype for w in low.weights} == {"float32"}
    high = Layer(4, engine=engine)
    high.build(inputs.shape)
    high.set_weights(low.get_weights())
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), high(inputs), atol=0.03)


def test_the_forget_gate_starts_open():
    layer = LSTM(2)
    layer.build((None, None, 1))
    np.testing.assert_array_equal(layer.bias, [0, 0, 1, 1, 0, 0, 0, 0])
    layer = LSTM(2, unit_forget_bias=False)
    layer.build((None, None, 1))
    np.testing.assert_array_equal(layer.bias, np.zeros(8))


@pytest.mark.parametrize("units", [0, -3, 2.5, True])
def test_units_that_are_no_count_are_refused(Layer, units):
    with pytest.raises(ValueError, match=r"got units=.*it expected a whole number of at least 1"):
        Layer(units)


@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
def test_a_dropout_of_everything_is_refused(option):
    with pytest.raises(ValueError, match=rf"VanillaRNNCell got {option}=1.0; it expected a share"):
        VanillaRNN(2, **{option: 1.0})


def test_a_mask_of_another_length_is_refused(Layer):
    layer = Layer(4)
    with pytest.raises(ValueError, match=r"got a mask of shape \(2, 4\) for inputs of shape \(2, 5, 3\).*Pad both"):
        layer(tf.zeros([2, 5, 3]), mask=tf.ones([2, 4], tf.bool))


def test_not_a_number_passes_through_and_harms_its_own_sequence_only(Layer, engine, rng):
    inputs = rng.normal(size=(2, 5, 3)).astype("float32")
    inputs[0, 2, 1] = np.nan
    outputs = Layer(4, engine=engine, return_sequences=True)(inputs).numpy()
    assert np.isfinite(outputs[0, :2]).all()
    assert np.isnan(outputs[0, 2:]).all()
    assert np.isfinite(outputs[1]).all()


@pytest.mark.parametrize("return_sequences", [False, True])
def test_of_no_time_steps_the_initial_state_comes_back(Layer, engine, return_sequences, rng):
    layer = Layer(4, engine=engine, return_sequences=return_sequences, return_state=True)
    start = [rng.normal(size=(2, 4)).astype("float32") for _ in layer.cell.state_size]
    output, *last = layer(np.empty((2, 0, 3), "float32"), initial_state=start)
    np.testing.assert_array_equal(last, start)
    assert output.shape == ((2, 0, 4) if return_sequences else (2, 4))
    if not return_sequences:
        np.testing.assert_array_equal(output, start[0])


@pytest.mark.parametrize("given", [False, True])
def test_of_no_time_steps_a_stateful_layer_keeps_its_state(Layer, given, rng):
    """With a length that the graph knows as with one that it does not."""
    results = []
    for steps in (0, None):
        layer = Layer(4, stateful=True, return_state=True)
        layer.build((2, None, 3))
        random = np.random.default_rng(5)
        layer.set_weights([random.normal(size=w.shape) for w in layer.get_weights()])
        start = [random.normal(size=(2, 4)).astype("float32") for _ in layer.cell.state_size] if given else None
        call = tf.function(partial(layer, initial_state=start), input_signature=[tf.TensorSpec([2, steps, 3])])
        layer(random.normal(size=(2, 5, 3)).astype("float32"))
        kept = [np.array(part) for part in layer.states]
        assert all(np.abs(part).max() > 0.1 for part in kept)
        results.append([*call(tf.zeros([2, 0, 3])), *layer.states])
        for part, expected in zip(layer.states, start or kept, strict=True):
            np.testing.assert_array_equal(part, expected)
    for known, unknown in zip(*results, strict=True):
        np.testing.assert_array_equal(known, unknown)


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("Single", [VanillaRNN, GRU])
def test_the_one_part_of_a_state_needs_no_list(Single, steps, rng):
    layer = Single(4, return_state=True)
    inputs, start = (rng.normal(size=shape).astype("float32") for shape in ((2, steps, 3), (2, 4)))
    for bare, listed in zip(layer(inputs, initial_state=start), layer(inputs, initial_state=[start]), strict=True):
        np.testing.assert_array_equal(bare, listed)
    if not steps:
        np.testing.assert_array_equal(layer(inputs, initial_state=start)[1], start)


def test_a_state_of_another_batch_is_refused(Layer):
    layer = Layer(4)
    start = [tf.zeros([3, 4]) for _ in layer.cell.state_size]
    with pytest.raises(
        ValueError, match=r"initial state h of shape \(3, 4\) for inputs of shape \(2, 5, 3\); it expected"
    ):
        layer(tf.zeros([2, 5, 3]), initial_state=start)


def test_too_few_states_are_refused():
    with pytest.raises(ValueError, match="LSTM got 1 initial states; it expected 2: h, c"):
        LSTM(4)(tf.zeros([2, 5, 3]), initial_state=[tf.zeros([2, 4])])


def test_inputs_of_another_rank_are_refused(Layer):
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        Layer(4)(tf.zeros([2, 5]))
