"""The REST face: decode, call, encode, as an ASGI application.

In TensorFlow Serving: model_servers/http_server.cc, model_servers/http_rest_api_handler.cc,
model_servers/http_rest_api_util.cc."""

import asyncio
import contextvars
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2

from serving import http_body, openapi
from serving.calls import Calls, ModelSpec, classify, regress
from serving.calls.examples import serialized
from serving.calls.status import SIGNATURE_DEF
from serving.errors import (
    CancelledError,
    Code,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    ServingError,
)
from serving.http_body import Scope
from serving.http_codes import status_of
from serving.http_limits import Concurrency
from serving.log import log_unexpected
from serving.observing import Observer, Request
from serving.rest_json import examples, predict_request, predict_response
from serving.rest_json.predict_request import Document, Form
from serving.rest_json.printing import quoted
from serving.rest_routes import API, METHODS, route
from serving.sequences import rest
from serving.sequences.contract import STEP
from serving.sequences.rest import RestInputs
from serving.sequences.store import Answer as SequenceAnswer
from serving.sequences.turns import Gone, Place
from serving.servable import Servable
from serving.server_metrics import ServerMetrics

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain")
HTML = (b"content-type", b"text/html; charset=utf-8")
CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
)
OK = 200
LOOK_SECONDS = 0.001
NO_ORIGIN = FailedPreconditionError("Origin header is missing in CORS preflight")
Headers = tuple[tuple[bytes, bytes], ...]
Receive = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Answer:
    """What goes back to the client."""

    status: int
    body: bytes = b""
    headers: Headers = (JSON,)


class RestApi:
    """The ASGI application.

    Calls run on the executor's threads, so that the event loop only reads and writes. What is joined with other calls
    mostly does not come here: `rest_joined.py` takes it."""

    def __init__(
        self,
        calls: Calls,
        executor: Executor,
        metrics: ServerMetrics,
        *,
        timeout_in_ms: int = 30_000,
        cors: bool = False,
        metrics_path: str = "",
        max_concurrent_calls: int = 0,
        observer: Observer | None = None,
        with_tokens: bool = False,
        with_streams: bool = False,
    ) -> None:
        """timeout_in_ms: the longest a call may take, <= 0 for no limit; cors: add the headers for browsers;
        metrics_path: where Prometheus finds the metrics, empty for nowhere; max_concurrent_calls: one beyond is
        refused, 0 for no limit; with_tokens, with_streams: /openapi.json says that each call wants one, and names
        the streams of text."""
        self._calls = calls
        self._described = {"with_tokens": with_tokens, "with_streams": with_streams}
        self._metrics = metrics
        self._metrics_path = metrics_path
        self._executor = executor
        self.at_once = Concurrency(max_concurrent_calls)
        self._observer = observer or Observer()
        self._timeout_ms = timeout_in_ms if timeout_in_ms > 0 else None
        self._cors = CORS if cors else ()
        self._run: dict[str, Callable[[ModelSpec, bytes], bytes]] = {
            "classify": partial(self._infer, classify.METHOD, examples.classified),
            "regress": partial(self._infer, regress.METHOD, examples.regressed),
        }
        self._look: dict[str, Callable[[ModelSpec], bytes]] = {"status": self._status, "metadata": self._metadata}

    async def __call__(self, scope: Scope, receive: Receive, send: Callable[[Any], Any]) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        with self._observer.rest(scope["headers"]) as seen:
            answer = await self._answer(scope, receive, seen)
            if answer is None:
                seen.failed(CancelledError("the client has gone before its request was read"))
                return
            seen.answered(answer.status)
        headers = [*answer.headers, seen.header, (b"content-length", str(len(answer.body)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive, seen: Request) -> Answer | None:
        """The answer; None when the client has gone before its request was read."""
        method, target = scope["method"], http_body.target_of(scope)
        if method not in METHODS:
            return _page(501)
        if self._metrics_path and target.partition("?")[0] == self._metrics_path:
            return self._monitoring(target)
        if target == openapi.PATH and method == "GET":
            return Answer(200, await asyncio.get_running_loop().run_in_executor(self._executor, self._openapi))
        if not API.fullmatch(target):
            return _page(404)
        if method == "OPTIONS":
            return self._preflight(scope, seen)
        body = await http_body.read(receive)
        if body is None:
            return None
        start = time.perf_counter()
        found, error = None, None
        try:
            found = route(method, target)
            seen.call, seen.spec = found.call, found.spec
            if found.call in self._look:
                content = self._look[found.call](found.spec)
            else:
                with self.at_once:
                    if found.call == "predict":
                        content = await self._predicted(found.spec, scope, receive, body)
                    else:
                        content = await self._in_time(self._run[found.call], found.spec, scope, body)
        except ServingError as failure:
            error = failure
        except Exception as failure:
            log_unexpected(failure)
            error = InternalError(f"{type(failure).__name__}: {failure}")
        if error is not None:
            content = error_body(error)
            seen.failed(error)
        status = Code.OK if error is None else error.code
        model = "" if found is None else found.spec.name
        api = "" if found is None or found.call in self._look else found.call
        self._metrics.answered(model, status.name, api, "REST", time.perf_counter() - start)
        return Answer(OK if error is None else status_of(error), content, (JSON, *self._cors))

    def _preflight(self, scope: Scope, seen: Request) -> Answer:
        """What a browser asks before a call: a call of no model. Why it is refused stands in the log only."""
        start = time.perf_counter()
        seen.call = "preflight"
        origin = dict(scope["headers"]).get(b"origin", b"")
        status = OK
        if b"http://" not in origin and b"https://" not in origin:
            seen.failed(NO_ORIGIN)
            status = status_of(NO_ORIGIN)
        self._metrics.answered("", seen.status.name, "", "REST", time.perf_counter() - start)
        return Answer(status, headers=(JSON, *self._cors))

    def _openapi(self) -> bytes:
        """The description of this API."""
        return openapi.document(self._calls.loaded(), self._calls.labels(), **self._described)

    def _monitoring(self, target: str) -> Answer:
        """The metrics, for Prometheus: any method, but no query string."""
        if target != self._metrics_path:
            text = f"Unexpected path: {target}. Should be {self._metrics_path}"
            return Answer(400, text.encode(), (TEXT,))
        return Answer(200, self._metrics.text().encode("utf-8", "surrogateescape"), (TEXT,))

    async def _in_time(
        self, call: Callable[[ModelSpec, bytes], bytes], spec: ModelSpec, scope: Scope, body: bytes
    ) -> bytes:
        """What the call gives, on a thread of the executor, which also unpacks the body."""
        in_context = contextvars.copy_context().run  # the thread knows the request that it works for
        running = asyncio.get_running_loop().run_in_executor(
            self._executor, in_context, lambda: call(spec, http_body.unpacked(scope, body))
        )
        try:
            return await asyncio.wait_for(running, None if self._timeout_ms is None else self._timeout_ms / 1000)
        except TimeoutError:
            raise DeadlineExceededError("Timed out waiting for notification") from None

    async def _predicted(self, spec: ModelSpec, scope: Scope, receive: Receive, body: bytes) -> bytes:
        """The answer of a Predict. Calls of one sequence run in the order in which they came, wherever they run."""
        sequence = None if http_body.is_packed(scope) else rest.id_in(body)
        place = self._calls.sequences.arrive(spec.name, sequence)
        try:
            return await self._in_time(partial(self._predict, _gone(receive), place), spec, scope, body)
        finally:
            self._calls.sequences.withdraw(place)

    def _predict(self, gone: Gone, place: Place | None, spec: ModelSpec, body: bytes) -> bytes:
        """Runs one signature, on rows or columns; place: of a sequence's call."""
        document = predict_request.parse(body)
        spec = ModelSpec(spec.name, spec.version, spec.label, document.signature_name)
        found = rest.inputs_of(document) if document.signature_name == STEP else None
        if found is not None:
            answer = self._step(spec, found, gone, place)
            if answer is not None:
                return predict_response.encode(answer.outputs, found.form, named=True)
        with self._calls.model(spec) as servable:
            inputs, form = inputs_of(servable, spec, document)
            outputs = self._calls.predict(servable, spec.signature, inputs, timeout_ms=self._timeout_ms)
        return predict_response.encode(outputs, form)

    def _step(self, spec: ModelSpec, inputs: RestInputs, gone: Gone, place: Place | None) -> SequenceAnswer | None:
        """The answer of a sequence; None for an ordinary call whose inputs have the same names."""
        call = rest.call(spec, inputs, self._calls.sequences.deadline(self._timeout_ms))
        call.gone, call.place = gone, place
        return self._calls.sequences.step(call)

    def _infer(self, method: str, encode: Callable[[Any], bytes], spec: ModelSpec, body: bytes) -> bytes:
        """Classifies or regresses Examples. The whole body is checked before the model is looked up."""
        document = predict_request.parse(body)
        given = examples.input_of(document)
        spec = ModelSpec(spec.name, spec.version, spec.label, document.signature_name)
        with self._calls.model(spec) as servable:
            found = partial(serialized, given)
            return encode(self._calls.infer(servable, spec.signature, method, found, self._timeout_ms))

    def _status(self, spec: ModelSpec) -> bytes:
        """The states of the versions of a model."""
        return _message(self._calls.status(spec))

    def _metadata(self, spec: ModelSpec) -> bytes:
        """The signatures of a version; `signature_def` stands twice, one inside the other, as in the stock server."""
        response = self._calls.metadata(spec)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[SIGNATURE_DEF].Unpack(signatures)
        model_spec = _message(response.model_spec).decode()
        return (
            f'{{\n"model_spec":{model_spec},\n"metadata": {{"signature_def": {_message(signatures).decode()}}}\n}}\n'
        ).encode()


def inputs_of(servable: Servable, spec: ModelSpec, document: Document) -> tuple[dict[str, np.ndarray], Form]:
    """Alias -> array, and the form of the request; raises INVALID_ARGUMENT."""
    signature = servable.signatures.get(spec.signature)
    if signature is None:
        raise InvalidArgumentError(f'Serving signature name: "{spec.signature}" not found in signature def')
    return predict_request.tensors(document, signature.inputs, signature.may_omit)


def _gone(receive: Receive) -> Gone:
    """Says, on a thread that runs the call, whether its client has gone meanwhile."""
    loop = asyncio.get_running_loop()

    async def look() -> bool:
        try:
            event = await asyncio.wait_for(receive(), LOOK_SECONDS)
        except TimeoutError:
            return False
        return bool(event["type"] == "http.disconnect")

    return lambda: asyncio.run_coroutine_threadsafe(look(), loop).result()


def error_body(error: ServingError) -> bytes:
    """`{"error": "<message>"}`, pretty-printed; UTF-8 also where the message quotes a caller's bytes that are not."""
    message = error.message.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return f'{{\n    "error": {quoted(message)}\n}}'.encode()


def _message(message: Any) -> bytes:
    """A protobuf message as JSON, with the fields that have their default value."""
    fields = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return json.dumps(fields, indent=1, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _page(status: int) -> Answer:
    """What the HTTP library of the stock server answers by itself."""
    reason = {404: "Not Found", 501: "Not Implemented"}[status]
    text = f"<html><head><title>{status} {reason}</title></head><body><h1>{reason}</h1></body></html>\n"
    return Answer(status, text.encode(), (HTML,))
