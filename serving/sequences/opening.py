"""The store that `--sequence_store` names."""

from serving.clock import Clock
from serving.errors import InvalidArgumentError
from serving.sequences.file import FileStore
from serving.sequences.memory import MemoryStore
from serving.sequences.store import Store

FILE = "file:"
ALWAYS = "?sync=always"


def open_store(text: str, clock: Clock) -> Store:
    """The store; raises INVALID_ARGUMENT for a text that names none."""
    if text == "memory":
        return MemoryStore()
    folder = text.removeprefix(FILE).removesuffix(ALWAYS)
    if text.startswith(FILE) and folder and "?" not in folder:
        return FileStore(folder, clock, text.endswith(ALWAYS))
    raise InvalidArgumentError(f"sequence_store is {text!r}; expected memory, file:DIR or file:DIR{ALWAYS}.")
