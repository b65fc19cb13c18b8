"""The recurrences: equation, layer and engine, each in its own file."""

from models.layers.cell import RecurrentCell
from models.layers.compiled_call import compiled_call
from models.layers.gru import GRU, GRUCell
from models.layers.keras_files import model_from_keras, model_to_keras
from models.layers.keras_weights import from_keras, to_keras
from models.layers.lstm import LSTM, LSTMCell
from models.layers.multilayer import multilayer
from models.layers.recurrence import Recurrence
from models.layers.slide_matrix import slide_matrix
from models.layers.torch_weights import from_torch, to_torch
from models.layers.vanilla_rnn import VanillaRNN, VanillaRNNCell

__all__ = [
    "GRU",
    "LSTM",
    "GRUCell",
    "LSTMCell",
    "Recurrence",
    "RecurrentCell",
    "VanillaRNN",
    "VanillaRNNCell",
    "compiled_call",
    "from_keras",
    "from_torch",
    "model_from_keras",
    "model_to_keras",
    "multilayer",
    "slide_matrix",
    "to_keras",
    "to_torch",
]
