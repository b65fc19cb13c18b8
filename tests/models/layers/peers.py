"""Our recurrences, and the layers of Keras that they take the place of."""

import itertools

import keras
import pytest

from models.layers import GRU, LSTM, VanillaRNN

PEERS = {LSTM: keras.layers.LSTM, GRU: keras.layers.GRU, VanillaRNN: keras.layers.SimpleRNN}


def by_turns(*lists):
    """The product of the layers and the lists for the LSTM; of the last list the other layers meet one value a row.

    What takes the time of a test is the tracing of its graph, and most of what a graph is made by is common to the
    layers. So the LSTM meets everything with everything. Each other layer meets the whole product of the lists before
    the last, and the values of the last by turns: each with every layer, and with each value of the others for some.
    """
    *others, last = lists
    places = [*itertools.product(*(range(len(values)) for values in others))]
    return [
        (layer, *(values[place] for values, place in zip(others, row, strict=True)), value)
        for k, layer in enumerate(PEERS)
        for row in places
        for turn, value in enumerate(last)
        if layer is LSTM or turn == (k + sum(row)) % len(last)
    ]


def parametrize(names, rows):
    """The mark of pytest that names a class as itself does: Keras's files know a VanillaRNN as a SimpleRNN."""
    return pytest.mark.parametrize(names, rows, ids=lambda value: getattr(value, "__qualname__", None))
