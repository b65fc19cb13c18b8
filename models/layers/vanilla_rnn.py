"""The vanilla recurrent network as a layer: slide S8, with readout y_t = W_hy h_t by a Dense layer above."""

import keras

from models.layers.cell import RecurrentCell
from models.layers.equations.vanilla_rnn import VanillaRNNState, VanillaRNNSum, vanilla_rnn_step
from models.layers.in_place_of import in_place_of
from models.layers.recurrence import Recurrence


@in_place_of(keras.layers.SimpleRNNCell)
@keras.saving.register_keras_serializable(package="seqzoo")
class VanillaRNNCell(RecurrentCell):
    """One time step of slide S8; takes the place of keras.layers.SimpleRNNCell."""

    gates, Gates, State, step = ("h",), VanillaRNNSum, VanillaRNNState, staticmethod(vanilla_rnn_step)


@in_place_of(keras.layers.SimpleRNN, engine="auto")
@keras.saving.register_keras_serializable(package="seqzoo")
class VanillaRNN(Recurrence):
    """Vanilla recurrent network, h_t = tanh(W_hh h_(t-1) + W_xh x_t); takes the place of keras.layers.SimpleRNN."""

    Cell = VanillaRNNCell
