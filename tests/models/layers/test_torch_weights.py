"""Weights that come from torch, or go there, against torch's documented equations in numpy."""

import keras
import numpy as np
import pytest

from models import from_torch, to_torch
from models.layers import GRU, LSTM, VanillaRNN
from models.layers.torch_weights import FORMS, TorchForm
from tests.models.layers import torch_in_numpy

FEATURES, UNITS = 3, 4


@pytest.fixture(params=[True, False], ids=["biases", "no biases"])
def bias(request):
    return request.param


def torch_arrays(Layer, **options):
    return torch_in_numpy.state_dict(Layer.__qualname__, FEATURES, UNITS, **options)


def assert_answers_as_torch(layer, arrays, rng, **options):
    """The sequences that a layer with return_sequences=True gives, and those of the documented equations."""
    inputs = rng.normal(size=(2, 6, FEATURES)).astype("float32")
    run = next(torch_in_numpy.RUN[ours.__qualname__] for ours in FORMS if isinstance(layer, ours))
    expected = [run(arrays, (xs[::-1] if layer.go_backwards else xs).astype("float64"), **options) for xs in inputs]
    np.testing.assert_allclose(layer(inputs), expected, atol=2e-6)


def test_weights_from_torch_answer_as_its_documented_equations(Layer, bias, rng):
    arrays = torch_arrays(Layer, bias=bias)
    layer = from_torch(Layer, arrays, return_sequences=True)
    assert (layer.units, layer.use_bias) == (UNITS, bias)
    assert_answers_as_torch(layer, torch_in_numpy.without("_l0", arrays), rng)


def test_weights_for_torch_answer_by_its_documented_equations(Layer, bias, rng, distinct):
    layer = Layer(UNITS, use_bias=bias, return_sequences=True)
    layer.build((None, None, FEATURES))
    distinct(layer)
    arrays = to_torch(layer)
    assert {name: array.shape for name, array in arrays.items()} == {
        name: array.shape for name, array in torch_arrays(Layer, bias=bias).items()
    }
    assert_answers_as_torch(layer, torch_in_numpy.without("_l0", arrays), rng)


def test_weights_that_went_to_torch_come_back_as_they_were(Layer, bias, distinct):
    layer = Layer(UNITS, use_bias=bias)
    layer.build((None, None, FEATURES))
    distinct(layer)
    back = from_torch(Layer, to_torch(layer))
    for mine, its in zip(back.get_weights(), layer.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_the_gru_keeps_both_biases_and_the_others_sum_them():
    arrays = torch_arrays(GRU)
    rows = {name: dict(zip("rzh", np.split(array, 3), strict=True)) for name, array in arrays.items()}
    bias = from_torch(GRU, arrays).get_weights()[2]
    np.testing.assert_array_equal(
        bias, [np.concatenate([rows[side][part] for part in "zrh"]) for side in ("bias_ih_l0", "bias_hh_l0")]
    )
    for Layer in (LSTM, VanillaRNN):
        arrays = torch_arrays(Layer)
        bias = from_torch(Layer, arrays).get_weights()[2]
        np.testing.assert_array_equal(bias, arrays["bias_ih_l0"] + arrays["bias_hh_l0"])
        layer = from_torch(Layer, arrays)
        np.testing.assert_array_equal(to_torch(layer)["bias_ih_l0"], bias)
        np.testing.assert_array_equal(to_torch(layer)["bias_hh_l0"], np.zeros_like(bias))


def test_a_layer_of_a_stack_is_chosen_by_level_direction_and_prefix(Layer, rng):
    endings = ("_l0", "_l0_reverse", "_l1", "_l1_reverse")
    by_ending = {
        ending: torch_in_numpy.state_dict(Layer.__qualname__, FEATURES, UNITS, ending=ending, seed=seed)
        for seed, ending in enumerate(endings)
    }
    whole = {"head.weight": np.zeros([2, UNITS])}
    for arrays in by_ending.values():
        whole |= {f"encoder.{name}": array for name, array in arrays.items()}
    for level, reverse, ending in ((0, False, "_l0"), (1, False, "_l1"), (1, True, "_l1_reverse")):
        where = {"level": level, "reverse": reverse, "prefix": "encoder."}
        layer = from_torch(Layer, whole, return_sequences=True, **where)
        assert layer.go_backwards == reverse
        assert_answers_as_torch(layer, torch_in_numpy.without(ending, by_ending[ending]), rng)
        assert {*to_torch(layer, **where)} == {f"encoder.{name}" for name in by_ending[ending]}


def test_a_relu_network_of_torch_is_ours_with_that_activation(rng):
    arrays = torch_arrays(VanillaRNN)
    layer = from_torch(VanillaRNN, arrays, activation="relu", return_sequences=True)
    assert_answers_as_torch(layer, torch_in_numpy.without("_l0", arrays), rng, nonlinearity=lambda x: np.maximum(x, 0))
    np.testing.assert_array_equal(to_torch(layer)["weight_hh_l0"], arrays["weight_hh_l0"])


def test_weights_take_the_dtype_of_the_layer(Layer):
    layer = from_torch(Layer, torch_arrays(Layer), dtype="float64")
    assert {w.dtype for w in layer.weights} == {"float64"}
    assert {array.dtype for array in to_torch(layer).values()} == {np.dtype("float64")}


def test_arrays_for_torch_are_copies_that_torch_can_take(Layer, distinct):
    layer = from_torch(Layer, torch_arrays(Layer))
    before = layer.get_weights()
    for array in to_torch(layer).values():
        assert array.flags.writeable
        array += 1
    for mine, its in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, its)


def changed(Layer, **arrays):
    """A state_dict with some arrays replaced, or left out where None."""
    merged = {**torch_arrays(Layer), **arrays}
    return {name: array for name, array in merged.items() if array is not None}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weight_ih_l0": np.zeros([15, 3])}, r"weight_ih_l0 has the shape \(15, 3\); .* expected 16 rows, 4 for each"),
        ({"weight_ih_l0": np.zeros([3, 16])}, r"weight_ih_l0 has the shape \(3, 16\)"),
        ({"weight_ih_l0": np.zeros(16)}, r"weight_ih_l0 has the shape \(16,\); it expected 2 dimensions"),
        ({"bias_hh_l0": np.zeros(4)}, r"bias_hh_l0 has the shape \(4,\)"),
        ({"bias_hh_l0": np.zeros([16, 1])}, r"bias_hh_l0 has the shape \(16, 1\); it expected 1 dimension\."),
        ({"weight_hh_l0": None}, "lacks weight_hh_l0; it has weight_ih_l0, bias_ih_l0, bias_hh_l0"),
        ({"bias_hh_l0": None}, "lacks bias_hh_l0;"),
        ({"head.weight": np.zeros([2, 4])}, r"'head\.weight' is no key of torch\.nn\.LSTM; .* name its prefix"),
        ({"weight_hr_l0": np.zeros([2, 4])}, r"'weight_hr_l0' is no key .* projections \(proj_size\) are not known"),
    ],
)
def test_arrays_that_do_not_fit_are_named_with_what_was_expected(arrays, message):
    with pytest.raises(ValueError, match=message):
        from_torch(LSTM, changed(LSTM, **arrays))


def test_arrays_of_another_level_or_prefix_are_missing():
    with pytest.raises(ValueError, match=r"lacks weight_ih_l3, weight_hh_l3; it has weight_ih_l0.*level, reverse and"):
        from_torch(LSTM, torch_arrays(LSTM), level=3)
    with pytest.raises(ValueError, match=r"lacks lstm\.weight_ih_l0, lstm\.weight_hh_l0"):
        from_torch(LSTM, torch_arrays(LSTM), prefix="lstm.")
    with pytest.raises(ValueError, match="it has nothing"):
        from_torch(LSTM, {})


@pytest.mark.parametrize("rows", [6, 14, 0])
def test_a_gate_order_that_cannot_be_known_is_refused(Layer, rows):
    with pytest.raises(ValueError, match=rf"has the shape \({rows}, 4\).*the order of its gates cannot be known"):
        from_torch(Layer, {"weight_ih_l0": np.zeros([rows, 3]), "weight_hh_l0": np.zeros([rows, 4])})


def test_no_units_are_refused(Layer):
    with pytest.raises(ValueError, match=r"has the shape \(0, 0\).*cannot be known"):
        from_torch(Layer, {"weight_ih_l0": np.zeros([0, 3]), "weight_hh_l0": np.zeros([0, 0])})


def test_the_arrays_of_another_recurrence_are_named():
    with pytest.raises(ValueError, match=r"torch\.nn\.LSTM expected \[4 \* units, units\]; .*one of torch\.nn\.GRU"):
        from_torch(LSTM, torch_arrays(GRU))


@pytest.mark.parametrize(
    ("Layer", "options", "message"),
    [
        (LSTM, {"activation": "relu"}, r"is not one of torch\.nn\.LSTM: activation is relu, torch has tanh\."),
        (VanillaRNN, {"activation": "elu"}, "activation is elu, torch has tanh or relu"),
        (GRU, {"recurrent_activation": "hard_sigmoid"}, "recurrent_activation is hard_sigmoid, torch has sigmoid"),
        (GRU, {"reset_after": False}, "reset_after is False, torch has only the other form"),
    ],
)
def test_what_torch_does_not_have_is_refused_in_both_directions(Layer, options, message):
    with pytest.raises(ValueError, match=message):
        from_torch(Layer, torch_arrays(Layer), **options)
    layer = Layer(UNITS, **options)
    layer.build((None, None, FEATURES))
    with pytest.raises(ValueError, match=message):
        to_torch(layer)


def test_use_bias_follows_from_the_arrays(Layer, bias):
    with pytest.raises(ValueError, match=f"use_bias={not bias} for a state_dict with.* leave it out"):
        from_torch(Layer, torch_arrays(Layer, bias=bias), use_bias=not bias)


def test_a_layer_without_weights_says_so(Layer):
    with pytest.raises(ValueError, match="has no weights yet; call it, or build it for an input shape, first"):
        to_torch(Layer(UNITS))


def test_a_layer_that_torch_lacks_is_answered_with_the_known_ones():
    with pytest.raises(TypeError, match=r"Dense has no peer in torch\.nn; it expected one of LSTM, GRU, VanillaRNN"):
        from_torch(keras.layers.Dense, {})
    with pytest.raises(TypeError, match="Dense has no peer"):
        to_torch(keras.layers.Dense(2))


@pytest.mark.parametrize("rows", [("o", "f", "g", "i"), ("i", "f", "o", "g")])
def test_swapped_gates_do_not_pass(rows, rng, monkeypatch):
    """The battery would see torch's rows read in another order, in both directions."""
    monkeypatch.setitem(FORMS, LSTM, TorchForm("torch.nn.LSTM", rows))
    with pytest.raises(AssertionError):
        test_weights_from_torch_answer_as_its_documented_equations(LSTM, True, rng)


def test_a_gru_read_in_our_order_does_not_pass(rng, monkeypatch):
    monkeypatch.setitem(FORMS, GRU, TorchForm("torch.nn.GRU", ("z", "r", "h")))
    with pytest.raises(AssertionError):
        test_weights_from_torch_answer_as_its_documented_equations(GRU, True, rng)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="torch is not installed; `make test-torch` has it")


def peer(torch, Layer, **options):
    """torch's recurrence of our layer's kind, filled by torch itself, and its state_dict in numpy."""
    torch.manual_seed(2)
    kind = getattr(torch.nn, FORMS[Layer].name.removeprefix("torch.nn."))
    theirs = kind(FEATURES, UNITS, batch_first=True, **options)
    return theirs, {name: value.numpy() for name, value in theirs.state_dict().items()}


@pytest.mark.parametrize("given", ["numpy", "tensors"])
def test_torch_itself_agrees_with_weights_from_it(Layer, bias, given, rng, torch):
    theirs, arrays = peer(torch, Layer, bias=bias)
    layer = from_torch(Layer, arrays if given == "numpy" else theirs.state_dict(), return_sequences=True)
    inputs = rng.normal(size=(2, 6, FEATURES)).astype("float32")
    np.testing.assert_allclose(layer(inputs), theirs(torch.from_numpy(inputs))[0].detach(), atol=2e-6)


def test_torch_itself_agrees_with_weights_for_it(Layer, bias, rng, distinct, torch):
    theirs, _ = peer(torch, Layer, bias=bias)
    layer = Layer(UNITS, use_bias=bias, return_sequences=True)
    layer.build((None, None, FEATURES))
    distinct(layer)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in to_torch(layer).items()})
    inputs = rng.normal(size=(2, 6, FEATURES)).astype("float32")
    np.testing.assert_allclose(layer(inputs), theirs(torch.from_numpy(inputs))[0].detach(), atol=2e-6)


def test_a_bidirectional_stack_of_torch_agrees_layer_by_layer(Layer, rng, torch):
    theirs, arrays = peer(torch, Layer, num_layers=2, bidirectional=True)
    inputs = rng.normal(size=(2, 6, FEATURES)).astype("float32")
    outputs = inputs
    for level in range(2):
        forwards, backwards = (
            from_torch(Layer, arrays, level=level, reverse=reverse, return_sequences=True) for reverse in (False, True)
        )
        outputs = np.concatenate([forwards(outputs), backwards(outputs)[:, ::-1]], axis=-1)
    np.testing.assert_allclose(outputs, theirs(torch.from_numpy(inputs))[0].detach(), atol=2e-6)
