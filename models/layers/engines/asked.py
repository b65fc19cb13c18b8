"""What an engine asks of a layer; it knows nothing else of it."""

from typing import Any, Protocol

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
