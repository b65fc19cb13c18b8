"""What a caller asks a stream for: the keys, their types, what they must be, and what they are when absent."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serving.errors import InvalidArgumentError
from serving.rest_json import predict_request
from serving.rest_json.reader import Members
from serving.sequences.special_inputs import LONGEST_ID

MOST_TOKENS = 4096
MOST_STOPS, LONGEST_STOP = 64, 1024  # strings, and bytes of each: every token is looked at for each of them
SEEDS = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True)
class Asked:
    """One request."""

    prompt: bytes
    max_tokens: int = 64
    temperature: float = 1.0  # 0: the most likely token
    top_k: int = 0  # 0: all
    seed: int | None = None  # None: by chance
    stop: tuple[str, ...] = ()
    sequence_id: int | str | None = None  # of a sequence that an earlier call has kept
    keep: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Asked":
        """From values by key; raises INVALID_ARGUMENT, naming the first that is wrong."""
        for key in values:
            if key not in KEYS:
                raise _wrong(key, "is not known")
        if "prompt" not in values:
            raise _wrong("prompt", "is missing")
        found: dict[str, Any] = {key: read(key, values[key]) for key, read in KEYS.items() if key in values}
        return cls(**found)


def from_json(body: bytes) -> Asked:
    """From the body of an HTTP request; raises INVALID_ARGUMENT."""
    members = predict_request.parse(body).members
    if isinstance(members, Members) and members.repeated:
        raise _wrong(members.repeated[0][0], "is there twice")
    return Asked.of(members)


def _wrong(key: str, problem: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"generate_stream: {key} {problem}")


def _text(key: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise _wrong(key, "must be a string")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise _wrong(key, "must be UTF-8") from None


def _whole(key: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _wrong(key, f"must be a whole number from {least} to {most}")
    return value


def _max_tokens(key: str, value: Any) -> int:
    return _whole(key, value, 1, MOST_TOKENS)


def _temperature(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise _wrong(key, "must be a number, 0 or more")
    return float(value)


def _top_k(key: str, value: Any) -> int:
    return _whole(key, value, 0, (1 << 31) - 1)


def _seed(key: str, value: Any) -> int:
    return _whole(key, value, SEEDS.start, SEEDS.stop - 1)


def _stop(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
        raise _wrong(key, "must be a list of strings that are not empty")
    if len(value) > MOST_STOPS or any(len(_text(key, text)) > LONGEST_STOP for text in value):
        raise _wrong(key, f"must have at most {MOST_STOPS} strings, each of at most {LONGEST_STOP} bytes")
    return tuple(dict.fromkeys(value))


def _sequence_id(key: str, value: Any) -> int | str | None:
    if isinstance(value, str) and len(_text(key, value)) <= LONGEST_ID:
        return value or None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64:
        return value or None
    raise _wrong(key, f"must be a whole number from 0 to {(1 << 64) - 1}, or a string of at most {LONGEST_ID} bytes")


def _keep(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(key, "must be true or false")
    return value


KEYS: Mapping[str, Callable[[str, Any], Any]] = {
    "prompt": _text,
    "max_tokens": _max_tokens,
    "temperature": _temperature,
    "top_k": _top_k,
    "seed": _seed,
    "stop": _stop,
    "sequence_id": _sequence_id,
    "keep": _keep,
}
