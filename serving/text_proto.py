"""Text proto files, as all configuration files of the stock server are. In TensorFlow Serving: util/proto_util.h."""

import logging
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf import message, text_format

from serving.errors import InvalidArgumentError, from_os

log = logging.getLogger(__name__)
Message = TypeVar("Message", bound=message.Message)


def read(path: str, kind: type[Message], pool: Any = None, *, lenient: bool = False) -> Message:
    """The message in the file. pool: a descriptor pool for messages packed in others; lenient: fields that are not
    known are passed over, and logged.

    Raises NOT_FOUND when it is absent, INVALID_ARGUMENT when it is empty or does not parse; the reason, with line and
    column counted from 1, goes to the log, where clients of TensorFlow Serving look for it."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise from_os(error, path) from error
    if not content:
        raise InvalidArgumentError(f"{path}; Invalid argument")
    try:
        return _parse(content.decode("utf-8"), kind, pool, lenient)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        log.error("Error parsing text-format %s: %s", kind.DESCRIPTOR.full_name, _where(error))
        raise InvalidArgumentError(f"Invalid protobuf file: '{path}'") from error


def _parse(text: str, kind: type[Message], pool: Any, lenient: bool) -> Message:
    try:
        return text_format.Parse(text, kind(), descriptor_pool=pool)
    except text_format.ParseError as error:
        if not lenient:
            raise
        parsed = text_format.Parse(text, kind(), allow_unknown_field=True, descriptor_pool=pool)
        log.warning("Passed over what is not known in text-format %s: %s", kind.DESCRIPTOR.full_name, _where(error))
        return parsed


def _where(error: Exception) -> str:
    """`<line>:<column>: <reason>`, counted from 1."""
    if isinstance(error, text_format.ParseError) and error.GetLine():
        place = f"{error.GetLine()}:{error.GetColumn()}"
        return f"{place}: {str(error).removeprefix(f'{place} : ')}"
    return f"1:1: {error}"
