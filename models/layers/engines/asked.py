"""What an engine asks of a layer; it knows nothing else of it."""

from typing import Any, Literal, Protocol

from models.layers.cell import RecurrentCell


class AskedLayer(Protocol):
    """A recurrent layer, as an engine sees it."""

    name: str
    cell: RecurrentCell
    engine: str
    unroll: bool
    recurrent_dropout: float

    @property
    def compute_dtype(self) -> Any:
        """The dtype of states and sums."""


def use_cudnn(layer: AskedLayer) -> Literal["auto"] | bool:
    """Keras's switch, which layers without gates have not."""
    switch: Literal["auto"] | bool = getattr(layer, "use_cudnn", "auto")
    return switch
