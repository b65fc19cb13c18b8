"""Files of weights and of whole models pass between our layers and those of Keras."""

import pickle
import zipfile

import keras
import numpy as np
import pytest

from models import model_from_keras, model_to_keras
from models.layers import GRU, LSTM, VanillaRNN
from tests.models.layers.peers import PEERS, by_turns, parametrize

OURS = tuple(PEERS)


def plain(layer):
    return [layer(4)]


def stacked(layer):
    return [layer(4, return_sequences=True), keras.layers.LayerNormalization(), layer(5)]


def bidirectional(layer):
    return [keras.layers.Bidirectional(layer(4, return_sequences=True)), layer(3)]


def of_cells(layer):
    cells = [layer(4).cell, layer(5).cell]
    return [keras.layers.RNN(cells)]


def nested(layer):
    return [keras.Sequential([keras.layers.TimeDistributed(keras.layers.Dense(2)), layer(4)])]


MODELS = [plain, stacked, bidirectional, of_cells, nested]


@pytest.fixture(params=MODELS, ids=lambda model: model.__name__)
def parts(request):
    """The layers of a model, made of one kind of recurrence."""
    return request.param


def model_of(layers):
    """A built model with distinct random weights."""
    model = keras.Sequential([keras.Input((5, 3)), *layers])
    rng = np.random.default_rng(8)
    model.set_weights([rng.normal(scale=0.6, size=w.shape) for w in model.get_weights()])
    return model


def assert_same_answers(after, before):
    inputs = np.random.default_rng(9).normal(size=(2, 5, 3)).astype("float32")
    np.testing.assert_allclose(after(inputs), before(inputs), atol=1e-6)


def recurrences(model):
    """All recurrent layers and cells of a model, at any depth."""
    kinds = (keras.layers.RNN, keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell)
    kinds += tuple(ours.Cell for ours in OURS)
    return [layer for layer in model._flatten_layers() if isinstance(layer, kinds) and type(layer) is not kinds[0]]


@parametrize(("Layer", "parts", "ending"), by_turns(MODELS, ["weights.h5", "keras"]))
def test_weights_load_from_a_file_of_either(Layer, parts, ending, tmp_path):
    for k, (source, target) in enumerate([(PEERS[Layer], Layer), (Layer, PEERS[Layer])]):
        before, after = model_of(parts(source)), keras.Sequential([keras.Input((5, 3)), *parts(target)])
        path = tmp_path / f"{k}.{ending}"
        before.save(path) if ending == "keras" else before.save_weights(path)
        after.load_weights(path)
        assert_same_answers(after, before)


def test_a_model_of_keras_is_loaded_with_our_layers(Layer, Peer, parts, tmp_path):
    before = model_of(parts(Peer))
    before.save(tmp_path / "model.keras")
    after = model_from_keras(tmp_path / "model.keras")
    kinds = {type(layer) for layer in recurrences(after)}
    assert kinds
    assert kinds <= {Layer, Layer.Cell}
    assert_same_answers(after, before)


def test_a_model_of_ours_is_loaded_with_the_layers_of_keras(Layer, Peer, parts, tmp_path):
    before = model_of(parts(Layer))
    before.save(tmp_path / "ours.keras")
    after = model_to_keras(tmp_path / "ours.keras")
    kinds = {type(layer) for layer in recurrences(after)}
    assert kinds
    assert all(kind.__module__.startswith("keras.") for kind in kinds)
    assert_same_answers(after, before)
    after.save(tmp_path / "theirs.keras")
    with zipfile.ZipFile(tmp_path / "theirs.keras") as archive:
        assert b"seqzoo" not in archive.read("config.json"), "Keras alone can load it"


def test_options_and_the_state_of_training_come_along(tmp_path):
    inputs, targets = np.random.default_rng(1).normal(size=(2, 8, 5, 3)).astype("float32")
    before = model_of([keras.layers.LSTM(3, return_sequences=True, recurrent_activation="hard_sigmoid", seed=3)])
    before.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)  # for one batch no graph is worth its trace
    before.fit(inputs, targets, verbose=0)
    before.save(tmp_path / "model.keras")
    after = model_from_keras(tmp_path / "model.keras")
    (layer,) = after.layers
    assert (layer.recurrent_activation, layer.seed) == (keras.activations.hard_sigmoid, 3)
    assert after.optimizer.iterations == 1
    for model in (before, after):
        model.fit(inputs, targets, verbose=0, shuffle=False)
    for mine, its in zip(after.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-5)
    assert not model_from_keras(tmp_path / "model.keras", compile=False).compiled


def test_the_engine_stays_with_us(tmp_path):
    model_of([LSTM(4, engine="equation")]).save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").layers[0].engine == "equation"
    assert "engine" not in model_to_keras(tmp_path / "model.keras").layers[0].get_config()


def test_a_model_of_both_kinds_keeps_each_weight_in_its_place(tmp_path):
    def both(first, second):
        return [first(4, return_sequences=True), second(4, return_sequences=True), first(4)]

    for k, kinds in enumerate([(VanillaRNN, keras.layers.SimpleRNN), (keras.layers.SimpleRNN, VanillaRNN)]):
        before = model_of(both(*kinds))
        before.save(tmp_path / f"{k}.keras")
        assert_same_answers(keras.saving.load_model(tmp_path / f"{k}.keras"), before)


def test_a_file_without_the_weights_is_refused(tmp_path):
    model_of([keras.layers.Dense(4)]).save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ValueError, match="could not be loaded"):
        model_of([VanillaRNN(4)]).load_weights(tmp_path / "other.weights.h5")


def test_the_class_keeps_its_own_name_but_in_files():
    layer = VanillaRNN(4, name="reader")
    assert repr(layer) == "<VanillaRNN name=reader, built=False>"
    assert repr(VanillaRNN) == "<class 'models.layers.vanilla_rnn.VanillaRNN'>"
    assert keras.saving.get_registered_name(VanillaRNN) == "seqzoo>VanillaRNN"
    assert keras.saving.get_registered_name(VanillaRNN.Cell) == "seqzoo>VanillaRNNCell"
    assert pickle.loads(pickle.dumps(VanillaRNN)) is VanillaRNN
    with pytest.raises(ValueError, match="VanillaRNN got 2 initial states"):
        layer(np.zeros([1, 2, 3], "float32"), initial_state=[np.zeros([1, 4], "float32")] * 2)


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("weights")
    for load in (model_from_keras, model_to_keras):
        with pytest.raises(ValueError, match=r"model\.keras' is no archive of a model; it expected"):
            load(path)


def test_a_layer_of_somebody_else_stays_what_it_is(tmp_path):
    @keras.saving.register_keras_serializable(package="somebody")
    class LSTM(keras.layers.LSTM):
        pass

    model_of([LSTM(4, return_sequences=True), GRU(4)]).save(tmp_path / "model.keras")
    for load in (model_from_keras, model_to_keras):
        assert type(load(tmp_path / "model.keras").layers[0]) is LSTM
