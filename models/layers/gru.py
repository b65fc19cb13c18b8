"""The gated recurrent unit as a layer, in both of its forms."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from models.layers.cell import Tensor
from models.layers.equations.gru import GRUParts, GRUState, gru_reset_after_step, gru_step
from models.layers.gated import GatedCell, GatedRecurrence
from models.layers.in_place_of import in_place_of
from models.layers.recurrence import OfCell


@in_place_of(keras.layers.GRUCell)
@keras.saving.register_keras_serializable(package="seqzoo")
class GRUCell(GatedCell):
    """One time step of Cho et al. 2014; takes the place of keras.layers.GRUCell.

    reset_after=True: the reset gate multiplies the candidate's product with the old state, not the old state itself,
    and each side has a bias of its own (bias [2, 3 * units]: the input's, then the old state's), as in cuDNN and torch.
    """

    gates, Gates, State, step = ("z", "r", "h"), GRUParts, GRUState, staticmethod(gru_step)  # order in memory

    def __init__(self, units: int, *activations: Any, reset_after: bool = True, **options: Any) -> None:
        super().__init__(units, *activations, **options)
        self.reset_after = reset_after

    @property
    def equation(self) -> Callable[..., Any]:
        """The form that reset_after chooses."""
        return gru_reset_after_step if self.reset_after else gru_step

    def bias_shape(self) -> tuple[int, ...]:
        """A row for each side with reset_after."""
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    @property
    def input_bias(self) -> Tensor | None:
        """The first row with reset_after."""
        bias = super().input_bias
        return bias[0] if bias is not None and self.reset_after else bias

    @property
    def recurrent_bias(self) -> Tensor | None:
        """The second row with reset_after."""
        bias = super().input_bias
        return bias[1] if bias is not None and self.reset_after else None

    def advance(self, projected: Tensor, before: GRUState, recurrent_mask: Tensor | None = None) -> GRUState:
        """The state after one time step; see `RecurrentCell.advance`."""

        def seen(h: Tensor) -> Tensor:
            return h if recurrent_mask is None else h * recurrent_mask

        if self.reset_after:
            u = self.split(self.recur(seen(before.h)))
            after: GRUState = gru_reset_after_step(self.split(projected), u, before, **self.activations)
            return after
        kernels = self.split(tf.convert_to_tensor(self.recurrent_kernel))

        def recurrent(part: str, h: Tensor) -> Tensor:
            return tf.linalg.matmul(seen(h), getattr(kernels, part))

        return gru_step(self.split(projected), before, recurrent, **self.activations)

    def options(self) -> dict[str, Any]:
        """The cell's own arguments, serialised."""
        return {**super().options(), "reset_after": self.reset_after}


@in_place_of(keras.layers.GRU, engine="auto")
@keras.saving.register_keras_serializable(package="seqzoo")
class GRU(GatedRecurrence):
    """Gated recurrent unit; takes the place of keras.layers.GRU."""

    Cell = GRUCell
    reset_after = OfCell()
