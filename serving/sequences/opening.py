"""The store that `--sequence_store` names."""

from serving.clock import Clock
from serving.errors import InvalidArgumentError
from serving.sequences.memory import MemoryStore
from serving.sequences.store import Store


def open_store(text: str, clock: Clock) -> Store:
    """The store; raises INVALID_ARGUMENT for a text that names none."""
    if text == "memory":
        return MemoryStore()
    raise InvalidArgumentError(f"sequence_store is {text!r}; expected memory.")
