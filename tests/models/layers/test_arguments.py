"""The arguments of Keras: the same names, in the same order, with the same defaults."""

import inspect

import keras
import numpy as np
import pytest

from models.layers import LSTM, VanillaRNN
from tests.models.layers.peers import PEERS

CLASSES = {**PEERS, **{ours.Cell: getattr(keras.layers, f"{theirs.__name__}Cell") for ours, theirs in PEERS.items()}}
OTHERS = {  # for each argument of Keras a value that is not the default
    "units": 5,
    "activation": "relu",
    "recurrent_activation": "hard_sigmoid",
    "kernel_initializer": "ones",
    "recurrent_initializer": "zeros",
    "bias_initializer": "ones",
    "dropout": 0.25,
    "recurrent_dropout": 0.5,
    "seed": 3,
    "use_cudnn": False,
    **{f"{of}_regularizer": "l2" for of in ("kernel", "recurrent", "bias", "activity")},
    **{f"{of}_constraint": "non_neg" for of in ("kernel", "recurrent", "bias")},
}


@pytest.fixture(params=CLASSES, ids=lambda kind: kind.__qualname__)
def Ours(request):
    """One of our layers and cells."""
    return request.param


@pytest.fixture
def Theirs(Ours):
    return CLASSES[Ours]


def arguments(kind):
    """The arguments that a class of Keras takes by position, with their defaults."""
    _, *named, _ = inspect.signature(kind.__init__).parameters.values()
    return {parameter.name: parameter.default for parameter in named}


def others(kind):
    """A value for each argument of Keras that is not its default."""
    return {name: OTHERS.get(name, not default) for name, default in arguments(kind).items()}


def options(layer):
    """What can be asked back of a layer or cell; its name is its own, unless it was given."""
    return {name: value for name, value in layer.get_config().items() if name != "name"}


def test_the_defaults_are_those_of_keras(Ours, Theirs):
    ours, theirs = options(Ours(4)), options(Theirs(4))
    assert {name: ours[name] for name in theirs} == theirs
    assert ours.keys() - theirs.keys() <= {"engine", "seed"}, "keras.layers.SimpleRNN does not write its seed down"
    assert getattr(Ours(4), "use_cudnn", None) == getattr(Theirs(4), "use_cudnn", None)
    assert Ours(4).seed is None


def test_every_argument_of_keras_is_taken_by_position_in_its_order(Ours, Theirs):
    values = others(Theirs)
    assert all(values[name] != default for name, default in arguments(Theirs).items())
    ours, theirs = Ours(*values.values()), Theirs(*values.values())
    expected = options(theirs)
    if "activity_regularizer" in values:  # keras.layers.SimpleRNN forgets it
        expected["activity_regularizer"] = keras.regularizers.serialize(keras.regularizers.get("l2"))
    assert {name: options(ours)[name] for name in expected} == expected
    assert ours.seed == 3
    assert getattr(ours, "use_cudnn", None) == getattr(theirs, "use_cudnn", None)


def test_every_argument_of_keras_is_taken_by_name(Ours, Theirs):
    values = others(Theirs)
    assert options(Ours(**values)) == options(Ours(*values.values()))


def test_the_signature_shows_the_arguments_of_keras_and_our_own(Ours, Theirs):
    shown = inspect.signature(Ours).parameters
    theirs = inspect.signature(Theirs).parameters
    assert [shown[name] for name in theirs] == list(theirs.values())
    assert shown.keys() - theirs.keys() == ({"engine"} if Ours in PEERS else set())


def test_arguments_by_position_reach_a_kind_derived_from_ours(Layer):
    class Mine(Layer):
        def __init__(self, units, **more):
            super().__init__(units, "relu", **more)

    assert Mine(4, use_bias=False).activation is keras.activations.relu


def test_an_argument_given_twice_is_refused():
    with pytest.raises(TypeError, match="VanillaRNN got activation both by position and by name; give it once"):
        VanillaRNN(4, "relu", activation="tanh")


def test_too_many_arguments_are_refused():
    with pytest.raises(TypeError, match="LSTM got 30 arguments by position; it expected at most 24, units to use_"):
        LSTM(*[4] * 30)


def test_units_cannot_be_left_out(Layer):
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'units'"):
        Layer()


@pytest.mark.filterwarnings("ignore:Do not pass an .input_shape")
@pytest.mark.parametrize("shape", [{"input_shape": (10, 3)}, {"input_shape": (None, 3)}])
def test_a_first_layer_that_knows_its_inputs_builds_the_model(Layer, Peer, shape):
    ours, theirs = (keras.Sequential([kind(4, **shape)]) for kind in (Layer, Peer))
    assert ours.built
    assert ours.input_shape == theirs.input_shape == (None, *shape["input_shape"])
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]


@pytest.mark.filterwarnings("ignore:Do not pass an .input_shape")
def test_input_dim_is_the_layers(Layer, Peer):
    assert Layer(4, input_dim=3)._input_shape_arg == Peer(4, input_dim=3)._input_shape_arg == (3,)


@pytest.mark.parametrize("autocast", [True, False])
def test_autocast_is_the_layers(Layer, Peer, autocast, rng):
    ours, theirs = (kind(4, autocast=autocast, dtype="mixed_bfloat16") for kind in (Layer, Peer))
    assert (ours.autocast, ours.cell.autocast) == (theirs.autocast, theirs.cell.autocast) == (autocast, True)
    inputs = rng.normal(size=(2, 5, 3)).astype("float32")
    assert ours(inputs).dtype == theirs(inputs).dtype
    assert np.isfinite(keras.ops.cast(ours(inputs), "float32")).all()


def test_an_unknown_option_is_refused(Layer):
    with pytest.raises((TypeError, ValueError), match="wings"):
        Layer(4, wings=2)
