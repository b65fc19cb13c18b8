"""Whole layers to and from `keras.layers`: the same options, the same weights, so the same outputs.

Weights lie in both as Keras stores them (`cell.py`), so they move as they are.
"""

from typing import Any

import keras

from models.layers.gru import GRU
from models.layers.in_place_of import own_name
from models.layers.lstm import LSTM
from models.layers.recurrence import Recurrence
from models.layers.vanilla_rnn import VanillaRNN

PEERS: dict[type[Recurrence], Any] = {
    LSTM: keras.layers.LSTM,
    GRU: keras.layers.GRU,
    VanillaRNN: keras.layers.SimpleRNN,
}
OURS_ALONE = ("engine",)  # options that no layer of Keras has; they change how it computes, not what
OBJECTS = ("activation", "initializer", "regularizer", "constraint")  # options that are taken over as they are


def from_keras(layer: Any, **options: Any) -> Recurrence:
    """Our layer in the place of a built keras.layers.LSTM, GRU or SimpleRNN: its options, weights and state.

    options: what shall differ from the layer's own, as engine="equation" or name="encoder".
    Raises TypeError for a layer that has no peer here, ValueError when it has no weights yet, or when a changed
    option asks for weights of another shape."""
    return _moved(layer, {theirs: ours for ours, theirs in PEERS.items()}, options)


def to_keras(layer: Recurrence, **options: Any) -> Any:
    """The layer of keras.layers in the place of our built one: its options (all but the engine), weights and state.

    options: what shall differ from the layer's own. Raises as `from_keras`."""
    return _moved(layer, PEERS, options)


def _moved(layer: Any, peers: dict[Any, Any], options: dict[str, Any]) -> Any:
    Peer = peers.get(type(layer))
    if Peer is None:
        known = ", ".join(f"{kind.__module__.partition('.')[0]}'s {own_name(kind)}" for kind in peers)
        raise TypeError(
            f"{_name_of(layer)} has no peer; it expected one of {known}. "
            "Of a wrapper (Bidirectional, TimeDistributed) move the layers inside it."
        )
    if not layer.cell.built:
        raise ValueError(f"{layer.name!r} has no weights yet; call it, or build it for an input shape, first.")
    peer = Peer(**{**_options(layer), **options})
    batch = layer.states[0].shape[0] if layer.stateful else None
    peer.build((batch, None, layer.cell.kernel.shape[0]))
    shapes, expected = ([w.shape for w in each.weights] for each in (layer, peer))
    if shapes != expected:
        raise ValueError(
            f"{layer.name!r} has weights of the shapes {shapes}; with the options {options} they would be {expected}. "
            "Leave out the options that change a weight's shape."
        )
    peer.set_weights(layer.get_weights())
    if peer.stateful and layer.stateful:
        for after, before in zip(peer.states, layer.states, strict=True):
            after.assign(before)
    return peer


def _options(layer: Any) -> dict[str, Any]:
    """The layer's options; functions and objects themselves, since not all can be written down (a lambda)."""
    config = {name: value for name, value in layer.get_config().items() if name not in OURS_ALONE}
    objects = {name: getattr(layer, name) for name in config if name.rpartition("_")[2] in OBJECTS}
    return {**config, **objects, "seed": layer.cell.seed}  # keras.layers.SimpleRNN's config has no seed


def _name_of(layer: Any) -> str:
    return f"a layer of type {type(layer).__module__}.{own_name(type(layer))}"
