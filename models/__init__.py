"""Recurrent layers that hold the slides' equations, and the networks built on them."""

from models.layers import (
    GRU,
    LSTM,
    VanillaRNN,
    compiled_call,
    from_keras,
    from_torch,
    model_from_keras,
    model_to_keras,
    multilayer,
    slide_matrix,
    to_keras,
    to_torch,
)
from models.zoo import ZOO, Entry, entry

__all__ = [
    "GRU",
    "LSTM",
    "ZOO",
    "Entry",
    "VanillaRNN",
    "compiled_call",
    "entry",
    "from_keras",
    "from_torch",
    "model_from_keras",
    "model_to_keras",
    "multilayer",
    "slide_matrix",
    "to_keras",
    "to_torch",
]
