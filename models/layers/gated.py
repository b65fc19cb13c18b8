"""What the recurrences with gates share: the gates' own activation, and Keras's switch for cuDNN."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras

from models.layers.cell import RecurrentCell, Tensor
from models.layers.in_place_of import own_name
from models.layers.recurrence import OfCell, Recurrence


class GatedCell(RecurrentCell):
    """A cell whose gates have an activation of their own, `recurrent_activation`: the slides' sigm."""

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", **options: Any
    ) -> None:
        super().__init__(units, activation, **options)
        self.recurrent_activation = keras.activations.get(recurrent_activation)

    @property
    def activations(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """The slides' sigm and tanh."""
        return {"sigm": self.recurrent_activation, "tanh": self.activation}

    def options(self) -> dict[str, Any]:
        """The cell's own arguments, serialised."""
        return {**super().options(), "recurrent_activation": keras.activations.serialize(self.recurrent_activation)}


class GatedRecurrence(Recurrence):
    """A layer of gated cells. use_cudnn: as in Keras, False keeps cuDNN out of `auto`, True asks for it."""

    recurrent_activation = OfCell()

    def __init__(
        self, units: int, *activations: Any, use_cudnn: Literal["auto"] | bool = "auto", **options: Any
    ) -> None:
        super().__init__(units, *activations, **options)
        if use_cudnn not in ("auto", True, False):
            raise ValueError(
                f"{own_name(type(self))} got use_cudnn={use_cudnn!r}; it expected 'auto', True or False. "
                "engine= says the same for every engine."
            )
        self.use_cudnn = use_cudnn
