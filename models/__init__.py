"""Recurrent layers that hold the slides' equations, and the networks built on them."""

from models.layers import GRU, LSTM, VanillaRNN, slide_matrix
from models.zoo import ZOO, Entry, entry

__all__ = ["GRU", "LSTM", "ZOO", "Entry", "VanillaRNN", "entry", "slide_matrix"]
