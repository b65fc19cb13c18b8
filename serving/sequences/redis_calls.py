"""How the Redis store talks to Redis: one script, its keys, its errors."""

import importlib.resources
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from serving.errors import InvalidArgumentError, ServingError
from serving.sequences import errors
from serving.sequences.store import Key

log = logging.getLogger(__name__)
SCRIPT = importlib.resources.files("serving.sequences").joinpath("redis_store.lua")
MODELS = "sequence-models"  # set of the names of all models
CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 5.0
NUMBER, TEXT = "u", "s"


class ScriptCall(NamedTuple):
    """One call of the script: the model, the sequence for calls about one, the name, what it takes."""

    model: str
    key: Key | None
    name: str
    arguments: Sequence[Any] = ()

    def command(self, digest: str, again: bool) -> list[Any]:
        """EVALSHA with its arguments."""
        keys = model_keys(self.model) + ([] if self.key is None else [sequence_key(self.key), lease_key(self.key)])
        return ["EVALSHA", digest, len(keys), *keys, self.name, int(again), *self.arguments]


def model_keys(model: str) -> list[bytes]:
    """The keys of what is counted for a model; {} keeps all keys of a model together in a cluster."""
    kinds = ("live", "ended", "sizes", "totals", "starting", "fences")
    return [_bytes(f"sequences-{kind}:{{{model}}}") for kind in kinds]


def prefix(model: str) -> bytes:
    """How the keys of a model's sequences begin."""
    return _bytes(f"seq:{{{model}}}:")


def sequence_key(key: Key) -> bytes:
    """The key of a sequence's hash."""
    return prefix(key.model) + member(key)


def lease_key(key: Key) -> bytes:
    """The key of its lease."""
    return _bytes(f"sequence-lease:{{{key.model}}}:") + member(key)


def member(key: Key) -> bytes:
    """The sequence among those of its model."""
    return _bytes(f"{NUMBER if isinstance(key.id, int) else TEXT}:{key.id}")


def key_of(model: str, found: bytes) -> Key:
    """The sequence that is called so."""
    kind, _, text = found.decode("utf-8", "surrogateescape").partition(":")
    return Key(model, int(text) if kind == NUMBER else text)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class RedisCalls:
    """A Redis server; every failure is UNAVAILABLE."""

    def __init__(self, url: str) -> None:
        """Does not connect yet. Raises INVALID_ARGUMENT for a URL that does not parse, or where the package is not
        installed."""
        try:
            import redis
        except ImportError:
            raise InvalidArgumentError(
                "sequence_store: a redis:// store needs the package redis; pip install 'seqzoo[redis]' brings it."
            ) from None
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self.address = _without_password(url)
        self._errors = redis.exceptions
        try:
            self._redis: Any = redis.Redis.from_url(
                url,
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=ANSWER_SECONDS,
                retry=Retry(NoBackoff(), 0),  # we do it, and say so to the script
                protocol=2,
            )
        except (ValueError, TypeError) as error:
            raise InvalidArgumentError(
                f"sequence_store is {self.address!r}, which is no URL of Redis: {error}"
            ) from None
        self._script = SCRIPT.read_bytes()
        self._digest = ""

    def run(self, calls: Sequence[ScriptCall]) -> list[Any]:
        """The answer of each call, or the ServingError that it failed with; all in one round trip."""
        for again in (False, True):
            try:
                return self._run(calls, again)
            except self._errors.ConnectionError as error:  # kept from before Redis was restarted, perhaps
                failed: Exception = error
            except self._errors.RedisError as error:
                failed = error
                break
        return [errors.store_unreachable(str(failed))] * len(calls)

    def _run(self, calls: Sequence[ScriptCall], again: bool) -> list[Any]:
        if not self._digest:
            self._load()
        found = self._pipeline([call.command(self._digest, again) for call in calls])
        if any(isinstance(answer, self._errors.NoScriptError) for answer in found):  # Redis was restarted
            self._load()
            found = self._pipeline([call.command(self._digest, True) for call in calls])
        return [
            errors.store_unreachable(str(answer)) if isinstance(answer, self._errors.RedisError) else answer
            for answer in found
        ]

    def _load(self) -> None:
        self._digest = self._redis.script_load(self._script)

    def _pipeline(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        if len(commands) == 1:
            try:
                return [self._redis.execute_command(*commands[0])]
            except self._errors.ResponseError as error:
                return [error]
        with self._redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return list(pipeline.execute(raise_on_error=False))

    def one(self, call: ScriptCall) -> Any:
        """The answer of a single call; raises UNAVAILABLE."""
        (answer,) = self.run([call])
        if isinstance(answer, ServingError):
            raise answer
        return answer

    def add_model(self, model: str) -> None:
        """Remembers that the model has sequences; raises UNAVAILABLE."""
        self._plain("SADD", MODELS, _bytes(model))

    def models(self) -> list[str]:
        """All those models; raises UNAVAILABLE."""
        return sorted(name.decode("utf-8", "surrogateescape") for name in self._plain("SMEMBERS", MODELS))

    def _plain(self, *command: Any) -> Any:
        for again in (False, True):
            try:
                return self._redis.execute_command(*command)
            except self._errors.RedisError as error:
                if again or not isinstance(error, self._errors.ConnectionError):
                    raise errors.store_unreachable(str(error)) from None
        raise AssertionError

    def close(self) -> None:
        """Ends the connections."""
        self._redis.close()


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            parts = parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2])
    except ValueError:
        return "redis://..."
    return parts._replace(query="").geturl()
