"""Layers that move to and from keras.layers answer as before."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import from_keras, to_keras
from models.layers import LSTM, VanillaRNN

OPTIONS = {
    "plain": {},
    "no bias": {"use_bias": False},
    "everything": {
        "activation": "relu",
        "return_sequences": True,
        "return_state": True,
        "go_backwards": True,
        "zero_output_for_mask": True,
        "kernel_regularizer": "l2",
        "activity_regularizer": "l1",
        "bias_constraint": "non_neg",
        "dropout": 0.3,
        "recurrent_dropout": 0.2,
        "seed": 5,
        "dtype": "float64",
        "trainable": False,
        "name": "encoder",
    },
}


@pytest.fixture(params=OPTIONS)
def options(request):
    return OPTIONS[request.param]


def built(layer, distinct, seed=7):
    layer.build((2, None, 3))
    distinct(layer, seed=seed)
    return layer


def assert_same_answers(after, before, rng):
    inputs, mask = rng.normal(size=(2, 5, 3)), tf.constant([[True, True, False, True, False], [True] * 5])
    for mine, its in zip(
        tf.nest.flatten(after(inputs, mask=mask)), tf.nest.flatten(before(inputs, mask=mask)), strict=True
    ):
        np.testing.assert_allclose(mine, its, atol=1e-6)


def test_a_keras_layer_becomes_ours_and_answers_as_before(Layer, Peer, options, rng, distinct):
    theirs = built(Peer(4, **options), distinct)
    ours = from_keras(theirs)
    assert type(ours) is Layer
    assert_same_answers(ours, theirs, rng)


def test_our_layer_becomes_one_of_keras_and_answers_as_before(Layer, Peer, options, rng, distinct):
    ours = built(Layer(4, engine="equation", **options), distinct)
    theirs = to_keras(ours)
    assert type(theirs) is Peer
    assert_same_answers(theirs, ours, rng)


def test_all_options_are_taken_over(Layer, Peer, options, distinct):
    theirs = built(Peer(4, **options), distinct)
    ours, back = from_keras(theirs), to_keras(from_keras(theirs))
    expected = theirs.get_config()
    assert {name: ours.get_config().get(name) for name in expected} == expected
    assert back.get_config() == expected
    assert back.cell.seed == theirs.cell.seed


@pytest.mark.parametrize("reset_after", [True, False])
def test_both_forms_of_the_gru_move(reset_after, rng, distinct):
    theirs = built(keras.layers.GRU(4, reset_after=reset_after), distinct)
    ours = from_keras(theirs)
    assert_same_answers(ours, theirs, rng)
    assert_same_answers(to_keras(ours), theirs, rng)


def test_the_gates_may_have_other_activations(rng, distinct):
    theirs = built(keras.layers.LSTM(4, recurrent_activation="hard_sigmoid"), distinct)
    assert_same_answers(from_keras(theirs), theirs, rng)


def test_an_activation_that_cannot_be_written_down_moves_as_it_is(Layer, Peer, rng, distinct):
    theirs = built(Peer(4, activation=lambda x: tf.sin(x)), distinct)
    with pytest.warns(UserWarning, match="lambda"):
        ours = from_keras(theirs)
    assert ours.activation is theirs.activation
    assert_same_answers(ours, theirs, rng)


def test_a_stateful_layer_goes_on_where_the_other_ended(Layer, Peer, rng, distinct):
    theirs = built(Peer(4, stateful=True), distinct)
    first, second = rng.normal(size=(2, 2, 5, 3)).astype("float32")
    theirs(first)
    ours, back = from_keras(theirs), to_keras(from_keras(theirs))
    expected = theirs(second)
    np.testing.assert_allclose(ours(second), expected, atol=1e-6)
    np.testing.assert_allclose(back(second), expected, atol=1e-6)


def test_options_differ_where_asked(distinct):
    layer = from_keras(built(keras.layers.LSTM(4), distinct), engine="equation", name="encoder", return_sequences=True)
    assert (layer.engine, layer.name, layer.return_sequences) == ("equation", "encoder", True)


def test_an_unknown_engine_is_refused(distinct):
    with pytest.raises(ValueError, match="engine='tpu' is not known; it expected one of auto"):
        from_keras(built(keras.layers.LSTM(4), distinct), engine="tpu")


@pytest.mark.parametrize("changed", [{"units": 5}, {"use_bias": False}])
def test_an_option_that_changes_a_weights_shape_is_refused(Layer, changed, distinct):
    with pytest.raises(ValueError, match=r"has weights of the shapes .*with the options .*Leave out"):
        to_keras(built(Layer(4), distinct), **changed)


def test_a_layer_without_weights_says_so(Layer, Peer):
    for move, layer in ((from_keras, Peer(4)), (to_keras, Layer(4))):
        with pytest.raises(ValueError, match="has no weights yet; call it, or build it for an input shape, first"):
            move(layer)


@pytest.mark.parametrize(
    ("move", "layer", "message"),
    [
        (from_keras, keras.layers.Dense(4), r"layer of type keras\S*\.Dense has no peer; .* keras's LSTM, keras's GRU"),
        (from_keras, keras.layers.Bidirectional(LSTM(4)), "Bidirectional, TimeDistributed. move the layers inside"),
        (from_keras, LSTM(4), r"type models\.layers\.lstm\.LSTM has no peer"),
        (to_keras, keras.layers.LSTM(4), "expected one of models's LSTM, models's GRU, models's VanillaRNN"),
    ],
)
def test_a_layer_without_a_peer_is_answered_with_the_known_ones(move, layer, message):
    with pytest.raises(TypeError, match=message):
        move(layer)


def test_a_layer_of_a_kind_derived_from_ours_is_not_taken_for_ours(distinct):
    class Mine(VanillaRNN):
        pass

    with pytest.raises(TypeError, match="Mine has no peer"):
        to_keras(built(Mine(4), distinct))


def test_swapped_gates_do_not_pass(rng, distinct, monkeypatch):
    """The battery would see weights whose i and o are exchanged on the way."""
    right = LSTM.set_weights

    def swapped(layer, weights):
        parts = [np.split(w, 4, axis=-1) for w in weights]
        right(layer, [np.concatenate([o, f, g, i], axis=-1) for i, f, g, o in parts])

    theirs = built(keras.layers.LSTM(4), distinct)
    monkeypatch.setattr(LSTM, "set_weights", swapped)
    with pytest.raises(AssertionError):
        assert_same_answers(from_keras(theirs), theirs, rng)
