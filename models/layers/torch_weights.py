"""A layer's weights to and from a `state_dict` of torch.nn.LSTM, GRU or RNN; torch itself is not needed.

torch acts on column vectors and has two biases, ours and Keras's form is for row vectors:

    weight_ih [gates * units, features]   the transposed kernel
    weight_hh [gates * units, units]      the transposed recurrent_kernel
    bias_ih, bias_hh [gates * units]      bias = bias_ih + bias_hh; the GRU (reset_after=True) keeps both as its rows

Rows of torch.nn.LSTM: i, f, g, o, as here; of torch.nn.GRU: r, z, n, here z, r, h.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.layers.gru import GRU
from models.layers.in_place_of import own_name
from models.layers.known_activations import activation_name
from models.layers.lstm import LSTM
from models.layers.recurrence import Recurrence
from models.layers.vanilla_rnn import VanillaRNN

KEY = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh)_l\d+(_reverse)?")


@dataclass(frozen=True)
class TorchForm:
    """A recurrence of torch: its name, its rows by our names of the parts, the activations that it has."""

    name: str
    rows: tuple[str, ...]
    activations: tuple[str, ...] = ("tanh",)


FORMS: dict[type[Recurrence], TorchForm] = {
    LSTM: TorchForm("torch.nn.LSTM", ("i", "f", "g", "o")),
    GRU: TorchForm("torch.nn.GRU", ("r", "z", "h")),
    VanillaRNN: TorchForm("torch.nn.RNN", ("h",), ("tanh", "relu")),
}


def from_torch(
    Layer: type[Recurrence],
    state_dict: Mapping[str, Any],
    *,
    level: int = 0,
    reverse: bool = False,
    prefix: str = "",
    **options: Any,
) -> Recurrence:
    """A built LSTM, GRU or VanillaRNN with the weights of a torch state_dict (numpy arrays, or what numpy can read).

    level: which layer of torch's stack, the k of weight_ih_lk. reverse: the weights of the second direction; the layer
    then has go_backwards=True, and its sequences begin with the last time step, as in Keras. prefix: the recurrence's
    place in the state_dict of a whole model, as "encoder.". options: those of the layer (activation="relu" for
    nonlinearity="relu"); units and use_bias follow from the arrays. torch always returns sequences, the layer does with
    return_sequences=True. The weights take the layer's dtype.
    Raises ValueError when an array is missing or of a wrong shape, a key is unknown, the rows do not fit the
    layer's gates, or torch's recurrence has not what the options ask for."""
    form = _form(Layer)
    arrays = _arrays(form, state_dict, prefix, f"_l{level}" + "_reverse" * reverse)
    units = arrays["weight_hh"].shape[1]
    use_bias = "bias_ih" in arrays
    layer = Layer(units, **{"go_backwards": reverse, "use_bias": use_bias, **options})
    _check_options(layer, form)
    if layer.use_bias != use_bias:
        raise ValueError(
            f"use_bias={layer.use_bias!r} for a state_dict {'with' if use_bias else 'without'} biases; leave it out."
        )
    to_ours = [form.rows.index(part) for part in layer.cell.gates]
    arrays = {name: _reordered(array, to_ours) for name, array in arrays.items()}
    weights = [arrays["weight_ih"].T, arrays["weight_hh"].T]
    if use_bias:
        both = np.stack([arrays["bias_ih"], arrays["bias_hh"]])
        weights.append(both if isinstance(layer, GRU) else both.sum(axis=0))
    layer.build((None, None, weights[0].shape[0]))
    layer.set_weights(weights)
    return layer


def to_torch(layer: Recurrence, *, level: int = 0, reverse: bool = False, prefix: str = "") -> dict[str, NDArray[Any]]:
    """The layer's weights as numpy arrays by the keys of torch; torch.from_numpy of each makes a state_dict.

    level, reverse, prefix: as in `from_torch`; the dicts of several layers make up that of a stack. Without use_bias
    there are no biases; where one bias serves both sides, bias_hh is zeros.
    Raises ValueError when the layer has no weights yet, or is one that torch does not have."""
    form = _form(type(layer))
    _check_options(layer, form)
    if not layer.cell.built:
        raise ValueError(f"{layer.name!r} has no weights yet; call it, or build it for an input shape, first.")
    kernel, recurrent_kernel, *biases = layer.get_weights()
    arrays = {"weight_ih": kernel.T, "weight_hh": recurrent_kernel.T}
    for bias in biases:
        arrays["bias_ih"], arrays["bias_hh"] = bias if isinstance(layer, GRU) else (bias, np.zeros_like(bias))
    to_theirs = [layer.cell.gates.index(part) for part in form.rows]
    ending = f"_l{level}" + "_reverse" * reverse
    return {f"{prefix}{name}{ending}": _reordered(array, to_theirs) for name, array in arrays.items()}


def _form(Layer: type[Recurrence]) -> TorchForm:
    for ours, form in FORMS.items():
        if issubclass(Layer, ours):
            return form
    known = ", ".join(own_name(ours) for ours in FORMS)
    raise TypeError(f"{own_name(Layer)} has no peer in torch.nn; it expected one of {known}.")


def _arrays(form: TorchForm, state_dict: Mapping[str, Any], prefix: str, ending: str) -> dict[str, NDArray[Any]]:
    """The recurrence's arrays by their names without prefix and ending, with shapes that fit each other."""
    found = {key[len(prefix) :]: value for key, value in state_dict.items() if key.startswith(prefix)}
    for key in found:
        if not KEY.fullmatch(key):
            hint = "projections (proj_size) are not known here" if key.startswith("weight_hr") else "name its prefix"
            raise ValueError(
                f"{prefix + key!r} is no key of {form.name}; it expected weight_ih_l0, weight_hh_l0, bias_ih_l0, "
                f"bias_hh_l0 and the same of further layers and of _reverse; {hint}."
            )
    names = ["weight_ih", "weight_hh"]
    if any(f"{name}{ending}" in found for name in ("bias_ih", "bias_hh")):
        names += ["bias_ih", "bias_hh"]
    missing = [f"{prefix}{name}{ending}" for name in names if f"{name}{ending}" not in found]
    if missing:
        raise ValueError(
            f"the state_dict lacks {', '.join(missing)}; it has {', '.join(state_dict) or 'nothing'}. "
            "level, reverse and prefix choose the keys."
        )
    arrays = {name: np.asarray(found[name + ending]) for name in names}
    _check_shapes(form, arrays, ending)
    return arrays


def _check_shapes(form: TorchForm, arrays: dict[str, NDArray[Any]], ending: str) -> None:
    """weight_hh tells the units, and whether its rows are those of the layer's gates; the others have to fit it."""
    for name, array in arrays.items():
        rank = 2 if name.startswith("weight") else 1
        if array.ndim != rank:
            raise ValueError(
                f"{name}{ending} has the shape {array.shape}; it expected {rank} dimension{'s' * (rank > 1)}."
            )
    rows, units = arrays["weight_hh"].shape
    gates = len(form.rows)
    if units == 0 or rows != gates * units:
        others = [other for other in FORMS.values() if units and rows == len(other.rows) * units]
        hint = f"it looks like one of {others[0].name}" if others else "the order of its gates cannot be known"
        raise ValueError(
            f"weight_hh{ending} has the shape {(rows, units)}; {form.name} expected [{gates} * units, units]; {hint}."
        )
    for name, array in arrays.items():
        if array.shape[0] != rows:
            raise ValueError(
                f"{name}{ending} has the shape {array.shape}; with weight_hh{ending} of shape {(rows, units)} it "
                f"expected {rows} rows, {gates} for each of {units} units."
            )


def _check_options(layer: Recurrence, form: TorchForm) -> None:
    reasons = why_not_torch(layer, form)
    if reasons:
        raise ValueError(f"{layer.name!r} is not one of {form.name}: {'; '.join(reasons)}.")


def why_not_torch(layer: Recurrence, form: TorchForm) -> list[str]:
    """Reasons why torch's recurrence with the layer's weights would compute something else; empty when it would not."""
    reasons = []
    expected = {"tanh": form.activations, "sigm": ("sigmoid",)}
    for name, chosen in layer.cell.activations.items():
        known = activation_name(chosen)
        if known not in expected[name]:
            option = {"tanh": "activation", "sigm": "recurrent_activation"}[name]
            reasons.append(f"{option} is {known}, torch has {' or '.join(expected[name])}")
    if isinstance(layer, GRU) and not layer.reset_after:
        reasons.append("reset_after is False, torch has only the other form")
    return reasons


def _reordered(array: NDArray[Any], order: list[int]) -> NDArray[Any]:
    """The array with its parts along the rows in another order."""
    parts = np.split(array, len(order))
    return np.concatenate([parts[index] for index in order])
