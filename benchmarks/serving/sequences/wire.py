"""Connections that carry one request at a time, with as little work as that takes: server and load share the cores.

HTTP/1.1 (RFC 9112), and gRPC's frames of HTTP/2 (RFC 9113) with a header block that never changes."""

import asyncio
import struct
from collections.abc import Callable

METHOD = b"/tensorflow.serving.PredictionService/Predict"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
LARGEST_WINDOW = 2**31 - 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame of HTTP/2."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def header_block(path: bytes, authority: bytes) -> bytes:
    """The request headers of gRPC, as literals that enter no table (RFC 7541)."""
    post, http = b"\x83", b"\x86"
    fields = [(b"\x04", path), (b"\x01", authority), (b"\x0f\x10", b"application/grpc"), (b"\x00\x02te", b"trailers")]
    return post + http + b"".join(name + bytes((len(value),)) + value for name, value in fields)


def unchunked(content: bytes) -> bytes:
    """What a chunked body holds."""
    parts, begin = [], 0
    while size := int(content[begin : (end := content.index(b"\r\n", begin))].split(b";")[0], 16):
        parts.append(content[end + 2 : end + 2 + size])
        begin = end + 2 + size + 2
    return b"".join(parts)


class Connection(asyncio.Protocol):
    """One connection; `ask` sends a request, `answered` of a form completes it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._waiting: asyncio.Future[bytes | None] | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """It has ended: what waits gets no answer."""
        self._answer(None)

    def _answer(self, content: bytes | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(content)

    async def ask(self, body: bytes) -> bytes | None:
        """The content of the answer; None for an error."""
        if self._transport.is_closing():
            return None
        self._waiting = asyncio.get_running_loop().create_future()
        self._send(body)
        return await self._waiting

    def _send(self, body: bytes) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Ends it."""
        self._transport.close()


class Http(Connection):
    """JSON over HTTP/1.1."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ".encode()

    def _send(self, body: bytes) -> None:
        self._transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))

    def data_received(self, data: bytes) -> None:
        """Answers when the whole body is there."""
        buffer = self._buffer
        buffer += data
        end = buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        head = bytes(buffer[:end]).lower()
        at = head.find(b"content-length:")
        if at >= 0:
            size = int(head[at + 15 : head.index(b"\r\n", at)])
            if len(buffer) - end < size:
                return
            body = bytes(buffer[end : end + size])
        elif buffer.endswith(b"0\r\n\r\n"):  # chunked
            body = unchunked(bytes(buffer[end:]))
        else:
            return
        buffer.clear()
        self._answer(body if head[9:12] == b"200" else None)


class Grpc(Connection):
    """Messages of one method over HTTP/2."""

    def __init__(self, path: str = METHOD.decode()) -> None:
        super().__init__()
        self._headers = header_block(path.encode(), b"x")
        self._stream = -1
        self._content = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Windows so large that they never have to be widened."""
        super().connection_made(transport)
        settings = struct.pack(">HI", 4, LARGEST_WINDOW)  # SETTINGS_INITIAL_WINDOW_SIZE
        widened = struct.pack(">I", LARGEST_WINDOW - 65535)
        self._transport.write(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, widened))

    def _send(self, body: bytes) -> None:
        self._stream += 2
        self._content.clear()
        message = b"\0" + len(body).to_bytes(4, "big") + body
        self._transport.write(
            frame(HEADERS, END_HEADERS, self._stream, self._headers) + frame(DATA, END_STREAM, self._stream, message)
        )

    def data_received(self, data: bytes) -> None:
        """Takes whole frames."""
        buffer = self._buffer
        buffer += data
        begin = 0
        while len(buffer) - begin >= 9:
            end = begin + 9 + int.from_bytes(buffer[begin : begin + 3], "big")
            if len(buffer) < end:
                break
            self._take(buffer[begin + 3], buffer[begin + 4], bytes(buffer[begin + 9 : end]))
            begin = end
        del buffer[:begin]

    def _take(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == DATA:
            self._content += payload
        if kind in (DATA, HEADERS):
            if flags & END_STREAM:
                self._answer(bytes(self._content[5:]) if self._content else None)  # an error is trailers alone
        elif kind == SETTINGS and not flags & ACK:
            self._transport.write(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            self._transport.write(frame(PING, ACK, 0, payload))
        elif kind in (RESET, GOAWAY):
            self._answer(None)


async def connect(made: Callable[[], Connection], port: int) -> Connection:
    """A connection to this machine."""
    _, connection = await asyncio.get_running_loop().create_connection(made, "127.0.0.1", port)
    return connection
