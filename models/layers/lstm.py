"""Long short-term memory as a layer: slides S10 and S11."""

from typing import Any

import keras
import tensorflow as tf

from models.layers.cell import Tensor
from models.layers.equations.lstm import LSTMGates, LSTMState, lstm_step
from models.layers.gated import GatedCell, GatedRecurrence
from models.layers.in_place_of import in_place_of
from models.layers.recurrence import OfCell


@in_place_of(keras.layers.LSTMCell)
@keras.saving.register_keras_serializable(package="seqzoo")
class LSTMCell(GatedCell):
    """One time step of slide S10; takes the place of keras.layers.LSTMCell.

    unit_forget_bias=True starts the forget gate's bias at one (Jozefowicz et al. 2015): the cell remembers at first.
    """

    gates, Gates, State, step = ("i", "f", "g", "o"), LSTMGates, LSTMState, staticmethod(lstm_step)  # order in memory

    def __init__(self, units: int, *activations: Any, unit_forget_bias: bool = True, **options: Any) -> None:
        super().__init__(units, *activations, **options)
        self.unit_forget_bias = unit_forget_bias

    def initial_bias(self) -> Any:
        """The bias initializer, with ones at the forget gate when unit_forget_bias is set."""
        if not self.unit_forget_bias:
            return self.bias_initializer

        def with_open_forget_gate(_: Any, **options: Any) -> Tensor:
            parts = {name: self.bias_initializer((self.units,), **options) for name in self.gates}
            parts["f"] = tf.ones_like(parts["f"])
            return tf.concat([parts[name] for name in self.gates], axis=0)

        return with_open_forget_gate

    def options(self) -> dict[str, Any]:
        """The cell's own arguments, serialised."""
        return {**super().options(), "unit_forget_bias": self.unit_forget_bias}


@in_place_of(keras.layers.LSTM, engine="auto")
@keras.saving.register_keras_serializable(package="seqzoo")
class LSTM(GatedRecurrence):
    """Long short-term memory; takes the place of keras.layers.LSTM. State parts: h, c."""

    Cell = LSTMCell
    unit_forget_bias = OfCell()
