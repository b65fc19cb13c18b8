"""The store that `--sequence_store` names."""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from serving.clock import Clock
from serving.errors import InvalidArgumentError
from serving.sequences.file import FileStore
from serving.sequences.memory import MemoryStore
from serving.sequences.redis_store import LEASE_SECONDS, RedisStore
from serving.sequences.settings import Settings
from serving.sequences.store import Store

FILE = "file:"
ALWAYS = "?sync=always"
REDIS = ("redis://", "rediss://")
LEASE = "lease_seconds"
FORMS = "memory, file:DIR, file:DIR?sync=always or redis://[user:password@]host:port/db"


def open_store(text: str, clock: Clock, settings: Callable[[str], Settings] = lambda _: Settings()) -> Store:
    """The store; settings: of a model. Raises INVALID_ARGUMENT for a text that names none."""
    if text == "memory":
        return MemoryStore()
    folder = text.removeprefix(FILE).removesuffix(ALWAYS)
    if text.startswith(FILE) and folder and "?" not in folder:
        return FileStore(folder, clock, text.endswith(ALWAYS))
    if text.startswith(REDIS):
        return _redis_store(text, clock, settings)
    raise InvalidArgumentError(f"sequence_store is {text!r}; expected {FORMS}.")


def _redis_store(text: str, clock: Clock, settings: Callable[[str], Settings]) -> Store:
    """The query may say `lease_seconds`; what else it says is for the redis package."""
    url, _, query = text.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    given = options.pop(LEASE, str(LEASE_SECONDS))
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise InvalidArgumentError(f"sequence_store: {LEASE} is {given!r}; expected seconds, from 0.1 to 3600.")
    return RedisStore(f"{url}?{urlencode(options)}" if options else url, clock, settings, seconds)
