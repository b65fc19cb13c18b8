"""Text proto files, as all configuration files of the stock server are. In TensorFlow Serving: util/proto_util.h."""

import logging
from pathlib import Path
from typing import TypeVar

from google.protobuf import message, text_format

from serving.errors import InvalidArgumentError, from_os

log = logging.getLogger(__name__)
Message = TypeVar("Message", bound=message.Message)


def read(path: str, kind: type[Message]) -> Message:
    """The message in the file.

    Raises NOT_FOUND when it is absent, INVALID_ARGUMENT when it is empty or does not parse; the reason, with line and
    column counted from 1, goes to the log, where clients of TensorFlow Serving look for it."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise from_os(error, path) from error
    if not content:
        raise InvalidArgumentError(f"{path}; Invalid argument")
    try:
        return text_format.Parse(content.decode("utf-8"), kind())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        log.error("Error parsing text-format %s: %s", kind.DESCRIPTOR.full_name, _where(error))
        raise InvalidArgumentError(f"Invalid protobuf file: '{path}'") from error


def _where(error: Exception) -> str:
    """`<line>:<column>: <reason>`, counted from 1."""
    if isinstance(error, text_format.ParseError) and error.GetLine():
        place = f"{error.GetLine()}:{error.GetColumn()}"
        return f"{place}: {str(error).removeprefix(f'{place} : ')}"
    return f"1:1: {error}"
