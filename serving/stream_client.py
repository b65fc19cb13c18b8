"""The client's side of a text that comes token by token."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Listed
from functools import partial
from types import TracebackType
from typing import Any

from serving.client_error import ClientError
from serving.errors import Code
from serving.http_codes import code_of
from serving.protos import GenerateRequest, GenerateResponse

METHOD = "/seqzoo.serving.TextService/Generate"
CODEC = {
    "request_serializer": GenerateRequest.SerializeToString,
    "response_deserializer": GenerateResponse.FromString,
}
DATA = b"data: "
Fields = dict[str, Any]  # of an event, as server-sent events have them


class Generation(Iterator[str]):
    """The pieces of a text, as they come. After the last one the other attributes are set.

    Ends the stream when it is closed, or left as a `with` block, before the text is complete."""

    def __init__(self, events: Iterator[Fields], close: Callable[[], object]) -> None:
        self.others: list[Callable[[], Generation]] = []  # the same text of other servers, while nothing has come yet
        self.tokens: int | None = None  # how many there were
        self.finish_reason: str | None = None  # length, stop or end
        self.sequence_id: int | str | None = None  # to go on from, where it was kept
        self._events = events
        self._close = close
        self._done = False

    def __next__(self) -> str:
        """The next piece. Raises ClientError with the server's code and text."""
        while not self._done:
            try:
                event = next(self._events)
            except StopIteration:
                error: BaseException = ClientError("The stream has ended before its text.", Code.UNAVAILABLE)
                event = None
            except BaseException as failure:
                error, event = failure, None
            if event is None:
                self.close()
                if not self._goes_on(error):
                    raise error from None
                continue
            self.others = []
            if "done" in event:
                self.tokens, self.finish_reason = event["tokens"], event["finish_reason"]
                self.sequence_id = event.get("sequence_id")
                self.close()
            elif event["text"]:
                return str(event["text"])
        raise StopIteration

    def _goes_on(self, error: BaseException) -> bool:
        """Whether another server of the list takes the place of the one that was lost."""
        if not self.others or not isinstance(error, ClientError) or error.code is not Code.UNAVAILABLE:
            return False
        other = first_of(self.others)
        self.others, self._events, self._close = other.others, other._events, other._close
        self._done = False
        return True

    def close(self) -> None:
        """Wants no more of it."""
        self._done = True
        self._close()

    def __enter__(self) -> "Generation":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, traceback: TracebackType | None) -> None:
        self.close()


def first_of(streams: Listed[Callable[[], Generation]]) -> Generation:
    """Of the first server that can be reached; it goes on with the next while nothing has come."""
    for place, stream in enumerate(streams):
        try:
            found = stream()
        except ClientError as error:
            if error.code is not Code.UNAVAILABLE or place == len(streams) - 1:
                raise
            continue
        found.others = list(streams[place + 1 :])
        return found
    raise ValueError("first_of got no stream; expected one at least.")


class Generates:
    """What a client can ask for text."""

    def generate(
        self,
        model: str,
        prompt: str,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        seed: int | None = None,
        stop: Listed[str] = (),
        sequence_id: int | str | None = None,
        keep: bool = False,
        version: int | None = None,
        label: str | None = None,
        others: Listed["Generates"] = (),
    ) -> Generation:
        """The text that follows the prompt, piece by piece. None leaves a value to the server.

            for piece in client.generate("char-lm", "First Citizen:"):
                print(piece, end="")

        max_tokens: 64 unless given; temperature: 1, and 0 takes the most likely token; top_k: of so many tokens, 0 of
        all; seed: the same one gives the same text; stop: the text ends before the first of these; sequence_id: go on
        from a sequence that an earlier call has kept; keep: this one; others: clients of servers that are asked in turn
        when one cannot be reached or is lost before anything has come, but for a sequence that goes on. The call is
        made at once; ClientError, with the server's code and text, comes with the first piece or a later one; with
        DEADLINE_EXCEEDED when nothing has come for as many seconds as the client's calls may take."""
        keys: Fields = {"prompt": prompt, "stop": list(stop) or None, "keep": keep or None, "sequence_id": sequence_id}
        keys |= {"max_tokens": max_tokens, "temperature": temperature, "top_k": top_k, "seed": seed}
        given = {key: value for key, value in keys.items() if value is not None}
        clients = [self, *(others if sequence_id is None else ())]
        return first_of([partial(client._stream, model, version, label, given) for client in clients])

    def _stream(self, model: str, version: int | None, label: str | None, keys: Fields) -> Generation:
        raise NotImplementedError


def message(keys: Fields) -> Any:
    """The same as a message, without the model."""
    keys = dict(keys)
    sequence_id = keys.pop("sequence_id", None)
    try:
        request = GenerateRequest(**keys)
        if isinstance(sequence_id, int):
            request.sequence_number = sequence_id
        elif sequence_id is not None:
            request.sequence_name = sequence_id
    except (TypeError, ValueError) as error:
        raise ClientError(f"generate_stream: {error}", Code.INVALID_ARGUMENT) from None
    return request


class Punctual:
    """Ends a call over gRPC when it has been waited for too long: a thread looks to it, for gRPC itself bounds only a
    call as a whole."""

    def __init__(self, cancel: Callable[[], object], seconds: float) -> None:
        """seconds: that one event may take to come."""
        self.late = False
        self._cancel = cancel
        self._seconds = seconds
        self._until: float | None = None  # while somebody waits
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name="text-deadline", daemon=True).start()

    def __enter__(self) -> None:
        self._until = time.monotonic() + self._seconds

    def __exit__(self, kind: type[BaseException] | None, value: object, traceback: TracebackType | None) -> None:
        self._until = None

    def end(self) -> None:
        """Nobody waits any more."""
        self._ended.set()

    def _watch(self) -> None:
        left = self._seconds
        while not self._ended.wait(left):
            until = self._until
            left = self._seconds if until is None else until - time.monotonic()
            if left <= 0:
                self.late = True
                self._cancel()
                return


def grpc_events(call: Any, failed: Callable[[Any], Exception], timeout: float) -> Iterator[Fields]:
    """The events of a call over gRPC; failed: the error that an RpcError stands for; timeout: the longest time in
    seconds until the next one comes."""
    import grpc

    waiting = Punctual(call.cancel, timeout)
    try:
        while True:
            with waiting:
                response = next(call, None)
            if response is None:
                return
            fields: Fields = {field.name: value for field, value in response.ListFields()}
            if response.HasField("index"):
                yield {"text": response.text, "index": response.index}
                continue
            name = next((name for name in ("sequence_number", "sequence_name") if name in fields), None)
            yield fields if name is None else {**fields, "sequence_id": fields[name]}
    except grpc.RpcError as error:
        raise (_too_late(timeout) if waiting.late else failed(error)) from None
    finally:
        waiting.end()


def rest_events(
    connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]
) -> Iterator[Fields]:
    """The events of a request over HTTP, which is sent at once on that connection."""
    try:
        connection.request("POST", path, body, {**headers, "Content-Type": "application/json"})
    except OSError as error:
        raise _unreached(connection, error) from error
    return _rest_events(connection)


def _rest_events(connection: http.client.HTTPConnection) -> Iterator[Fields]:
    try:
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise ClientError(_text(response), code_of(response.status))
        while line := response.readline():
            if not line.startswith(DATA):
                continue
            event = json.loads(line[len(DATA) :])
            if "error" in event:
                raise ClientError(event["error"], Code[event["code"]])
            yield event
    except TimeoutError:
        raise _too_late(connection.timeout) from None
    except (OSError, http.client.HTTPException) as error:
        raise _unreached(connection, error) from error


def _unreached(connection: http.client.HTTPConnection, error: Exception) -> ClientError:
    return ClientError(f"{connection.host}:{connection.port}: {error}", Code.UNAVAILABLE)


def _text(response: http.client.HTTPResponse) -> str:
    try:
        return str(json.loads(response.read())["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status} {response.reason}"


def _too_late(seconds: float | None) -> ClientError:
    return ClientError(f"nothing came in {seconds} s", Code.DEADLINE_EXCEEDED)
