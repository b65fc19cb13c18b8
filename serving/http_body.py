"""The target and the body of an HTTP request, as ASGI hands them over."""

import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

LARGEST_UNPACKED = 100 * 1024 * 1024  # bytes of a gzip body
Scope = MutableMapping[str, Any]


def target_of(scope: Scope) -> str:
    """The target as it was sent: path and query string."""
    query = scope["query_string"]
    return str((scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1"))


async def read(receive: Callable[[], Awaitable[Any]]) -> bytes | None:
    """The whole body; None when the client goes away before its end."""
    parts = []
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        parts.append(event.get("body", b""))
        if not event.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def is_packed(scope: Scope) -> bool:
    """Whether the body is packed by gzip."""
    return any(name == b"content-encoding" and b"gzip" in value for name, value in scope["headers"])


def unpacked(scope: Scope, body: bytes) -> bytes:
    """The body without gzip; empty when it cannot be unpacked or is too large."""
    if not is_packed(scope):
        return body
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = unpacker.decompress(body, LARGEST_UNPACKED + 1)
    except zlib.error:
        return b""
    return content if unpacker.eof and len(content) <= LARGEST_UNPACKED else b""
