"""The recurrences by the names that a setting gives them."""

from models.layers.gru import GRU
from models.layers.lstm import LSTM
from models.layers.recurrence import Recurrence
from models.layers.vanilla_rnn import VanillaRNN

RECURRENCES: dict[str, type[Recurrence]] = {"vanilla": VanillaRNN, "lstm": LSTM, "gru": GRU}


class UnknownCellError(ValueError):
    """No recurrence has that name; the text names those that there are."""


def recurrence(name: str) -> type[Recurrence]:
    """The layer of that name. Raises UnknownCellError when there is none."""
    if name not in RECURRENCES:
        raise UnknownCellError(f"cell={name}: no recurrence has that name; expected one of {', '.join(RECURRENCES)}.")
    return RECURRENCES[name]
