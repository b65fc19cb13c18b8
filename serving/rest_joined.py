"""Predict over HTTP where calls are joined: from the bytes of a request to those of its answer in callbacks of the
event loop. Neither a thread nor a task waits for the batch.

Only the ordinary comes this way: a small POST with plain JSON for a version whose calls are joined. All else is left to
the ASGI application, which gives the same answers."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from functools import lru_cache

import numpy as np

from serving.auth_tokens import AuthTokens
from serving.calls import Calls, ModelSpec
from serving.errors import Code, DeadlineExceededError, InternalError, ServingError
from serving.harness import Harness
from serving.http_codes import status_of
from serving.joined import LITTLE_BYTES, LITTLE_ELEMENTS, Joined
from serving.log import log_unexpected
from serving.observing import Observer, Request
from serving.rest_api import CORS, JSON, OK, RestApi, error_body, inputs_of
from serving.rest_json import predict_request, predict_response
from serving.rest_json.predict_request import Form
from serving.rest_routes import route
from serving.sequences.contract import STEP
from serving.server_metrics import ServerMetrics
from serving.waking import Waking

LONGEST_TARGET = 512
Headers = Iterable[tuple[bytes, bytes]]
Reply = Callable[[int, bytes, bytes], None]  # status, lines of the head, body


class JoinedPredict:
    """Takes requests out of the hands of the ASGI application, on its event loop."""

    def __init__(
        self,
        api: RestApi,
        calls: Calls,
        executor: Executor,
        metrics: ServerMetrics,
        observer: Observer,
        *,
        timeout_in_ms: int = 0,
        cors: bool = False,
        tokens: AuthTokens | None = None,
    ) -> None:
        """api: the application, whose count of running calls is shared; executor: encodes large answers; tokens: who
        may call, None for everybody."""
        self.joined = Joined(calls)
        self.calls = calls
        self.executor = executor
        self.metrics = metrics
        self.at_once = api.at_once
        self.timeout_ms = timeout_in_ms if timeout_in_ms > 0 else None
        self.head = b"".join(b"%s: %s\r\n" % pair for pair in (JSON, *(CORS if cors else ())))
        self._observer = observer
        self._tokens = tokens

    def wants(self, method: bytes, target: bytes, headers: Headers) -> ModelSpec | None:
        """The model of a request that may be taken, by its head."""
        if method != b"POST" or len(target) > LONGEST_TARGET:
            return None
        spec = _spec(target)
        if spec is None:
            return None
        length = -1
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name in (b"content-encoding", b"expect", b"transfer-encoding"):
                return None
        if not 0 <= length <= LITTLE_BYTES:
            return None
        if self._tokens is not None:
            try:
                self._tokens.caller([value.decode("latin-1") for name, value in headers if name == b"authorization"])
            except ServingError:
                return None  # it is refused by the guard of the application
        return spec

    def take(self, spec: ModelSpec, headers: Headers, body: bytes, reply: Reply) -> bool:
        """Begins the call; reply is called once, when there is an answer. False: the application is to answer."""
        start = time.perf_counter()
        if self.at_once.is_full:
            return False
        held = self.joined.hold(spec)
        if held is None:
            return False
        document = None
        with suppress(ServingError):  # the application says what is wrong
            document = predict_request.parse_plain(body)
        if document is None or document.signature_name == STEP:
            held.leave()
            return False
        if document.signature_name:
            spec = ModelSpec(spec.name, spec.version, spec.label, document.signature_name)
        seen = self._observer.rest(headers).begun("predict", spec, held.version)
        call = _Call(self, held, spec, seen, start, reply)
        try:
            inputs, call.form = inputs_of(held.loaded, spec, document)
            call.begin(inputs)
        except Exception as error:
            held.leave()
            call.fail(error)
        return True


@lru_cache(maxsize=256)
def _spec(target: bytes) -> ModelSpec | None:
    if b"?" in target or b"#" in target:
        return None
    try:
        found = route("POST", target.decode("latin-1"))
    except ServingError:
        return None
    return found.spec if found.call == "predict" else None


class _Call:
    """One call, from its begin to its answer."""

    __slots__ = ("_held", "_own", "_reply", "_seen", "_spec", "_start", "_take", "_timer", "_waking", "form")

    def __init__(
        self, own: JoinedPredict, held: Harness, spec: ModelSpec, seen: Request, start: float, reply: Reply
    ) -> None:
        self.form = Form.ROW
        self._own, self._held, self._spec, self._seen, self._start = own, held, spec, seen, start
        self._reply: Reply | None = reply
        self._take: Callable[[], dict[str, np.ndarray]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waking: Waking = own.joined.waking()
        own.at_once.enter()

    def begin(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Raises ServingError for inputs that cannot be run."""
        own = self._own
        self._take = own.calls.begin_predict(
            self._held.loaded, self._spec.signature, inputs, self.end, timeout_ms=own.timeout_ms
        )
        if own.timeout_ms is not None:
            self._timer = asyncio.get_running_loop().call_later(own.timeout_ms / 1000, self._late)

    def end(self) -> None:
        """Its batch has run; on any thread."""
        self._waking.add(self)

    def _late(self) -> None:
        """It may still run: the version stays for it."""
        self.fail(DeadlineExceededError("Timed out waiting for notification"))

    def ended(self) -> None:
        """Its batch has run; on the event loop."""
        self._held.leave()
        if self._reply is None:
            return
        try:
            assert self._take is not None
            outputs = self._take()
            if sum(output.size for output in outputs.values()) > LITTLE_ELEMENTS:
                loop = asyncio.get_running_loop()
                encoding = loop.run_in_executor(self._own.executor, predict_response.encode, outputs, self.form)
                encoding.add_done_callback(self._encoded)
                return
            content = predict_response.encode(outputs, self.form)
        except Exception as error:
            self.fail(error)
            return
        self._answer(OK, content)

    def _encoded(self, encoding: "asyncio.Future[bytes]") -> None:
        error = encoding.exception()
        if error is None:
            self._answer(OK, encoding.result())
        elif isinstance(error, Exception):
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Answers with an error."""
        if not isinstance(error, ServingError):
            log_unexpected(error)
            error = InternalError(f"{type(error).__name__}: {error}")
        self._seen.failed(error)
        self._answer(status_of(error), error_body(error), error.code)

    def _answer(self, status: int, content: bytes, code: Code = Code.OK) -> None:
        reply, self._reply = self._reply, None
        if reply is None:
            return
        own, seen = self._own, self._seen
        if self._timer is not None:
            self._timer.cancel()
        own.at_once.leave()
        own.metrics.answered(self._spec.name, code.name, "predict", "REST", time.perf_counter() - self._start)
        seen.answered(status)
        seen.ended()
        reply(status, b"%s%s: %s\r\n" % (own.head, *seen.header), content)
