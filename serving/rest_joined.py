"""Predict over HTTP where calls are joined, and further steps of sequences: from the bytes of a request to those of its
answer in callbacks of the event loop. Neither a thread nor a task waits for the batch.

Only the ordinary comes this way: a small POST with plain JSON. All else is left to the ASGI application, which gives
the same answers."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from functools import lru_cache, partial

import numpy as np

from serving.auth_tokens import AuthTokens
from serving.calls import Calls, ModelSpec
from serving.errors import Code, DeadlineExceededError, InternalError, ServingError
from serving.http_codes import status_of
from serving.joined import LITTLE_BYTES, LITTLE_ELEMENTS, Joined
from serving.log import log_unexpected
from serving.observing import Observer, Request
from serving.rest_api import CORS, JSON, OK, RestApi, error_body, inputs_of
from serving.rest_json import predict_request, predict_response
from serving.rest_json.predict_request import Form
from serving.rest_routes import route
from serving.sequences import rest
from serving.sequences.contract import STEP
from serving.sequences.patience import LATE
from serving.server_metrics import ServerMetrics
from serving.waking import Waking

LONGEST_TARGET = 512
SPECIAL = b'"sequence_'  # begins the name of an input of sequences
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
        if SPECIAL in body:
            return self._take_step(spec, headers, body, reply, start)
        held = self.joined.hold(spec)
        if held is None:
            return False
        document = _plain(body)
        if document is None or (document.signature_name == STEP and rest.inputs_of(document) is not None):
            held.leave()  # what is wrong the application says; a step's inputs may be escaped in the JSON
            return False
        if document.signature_name:
            spec = ModelSpec(spec.name, spec.version, spec.label, document.signature_name)
        seen = self._observer.rest(headers).begun("predict", spec, held.version)
        call = _Call(self, spec, seen, start, reply)
        try:
            inputs, call.form = inputs_of(held.loaded, spec, document)
            soon = asyncio.get_running_loop().call_soon
            take = self.calls.begin_predict(
                held.loaded, spec.signature, inputs, call.end, soon, timeout_ms=self.timeout_ms
            )
        except Exception as error:
            held.leave()
            call.fail(error)
        else:
            call.begun(take, held.leave)
        return True

    def _take_step(self, spec: ModelSpec, headers: Headers, body: bytes, reply: Reply, start: float) -> bool:
        """As take(), for what may be the step of a sequence."""
        document = _plain(body)
        inputs = rest.inputs_of(document) if document is not None and document.signature_name == STEP else None
        if inputs is None:
            return False
        sequences = self.calls.sequences
        asked = rest.call(spec, inputs, sequences.deadline(self.timeout_ms))
        call = _Call(self, asked.spec, self._observer.rest(headers).begun("predict", asked.spec), start, reply)
        call.form, call.named, asked.gone = inputs.form, True, call.is_answered
        take = sequences.begin(asked, call.end, asyncio.get_running_loop().call_soon)
        if take is None:
            call.withdraw()
            return False

        def outputs() -> Mapping[str, np.ndarray]:
            answer = take()
            call.seen.version = answer.version
            return answer.outputs

        call.begun(outputs, _nothing)
        return True


def _plain(body: bytes) -> predict_request.Document | None:
    """The document of a body that may be taken; the application says what is wrong with another one."""
    try:
        return predict_request.parse_plain(body)
    except ServingError:
        return None


def _nothing() -> None:
    """A step gives back its version itself."""


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

    __slots__ = ("_leave", "_own", "_reply", "_spec", "_start", "_take", "_timer", "_waking", "form", "named", "seen")

    def __init__(self, own: JoinedPredict, spec: ModelSpec, seen: Request, start: float, reply: Reply) -> None:
        self.form, self.named = Form.ROW, False  # of the answer
        self.seen = seen
        self._own, self._spec, self._start = own, spec, start
        self._reply: Reply | None = reply
        self._take: Callable[[], Mapping[str, np.ndarray]] | None = None
        self._leave: Callable[[], None] = _nothing
        self._timer: asyncio.TimerHandle | None = None
        self._waking: Waking = own.joined.waking()
        own.at_once.enter()

    def begun(self, take: Callable[[], Mapping[str, np.ndarray]], leave: Callable[[], None]) -> None:
        """take: gives the outputs when `end` has been called, and is called once; leave: then too."""
        self._take, self._leave = take, leave
        if self._own.timeout_ms is not None:
            self._timer = asyncio.get_running_loop().call_later(self._own.timeout_ms / 1000, self._late)

    def withdraw(self) -> None:
        """It is not taken: the application answers."""
        self._reply = None
        self._own.at_once.leave()

    def is_answered(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._reply is None

    def end(self) -> None:
        """Its batch has run; on any thread."""
        self._waking.add(self)

    def _late(self) -> None:
        """It may still run: the version stays for it."""
        self.fail(DeadlineExceededError(LATE))

    def ended(self) -> None:
        """Its batch has run; on the event loop."""
        self._leave()
        try:
            assert self._take is not None
            outputs = self._take()
            if self._reply is None:
                return
            if sum(output.size for output in outputs.values()) > LITTLE_ELEMENTS:
                loop = asyncio.get_running_loop()
                encode = partial(predict_response.encode, outputs, self.form, named=self.named)
                encoding = loop.run_in_executor(self._own.executor, encode)
                encoding.add_done_callback(self._encoded)
                return
            content = predict_response.encode(outputs, self.form, named=self.named)
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
        """Answers with an error, if it is not answered yet."""
        if self._reply is None:
            return
        if not isinstance(error, ServingError):
            log_unexpected(error)
            error = InternalError(f"{type(error).__name__}: {error}")
        self.seen.failed(error)
        self._answer(status_of(error), error_body(error), error.code)

    def _answer(self, status: int, content: bytes, code: Code = Code.OK) -> None:
        reply, self._reply = self._reply, None
        if reply is None:
            return
        own, seen = self._own, self.seen
        if self._timer is not None:
            self._timer.cancel()
        own.at_once.leave()
        own.metrics.answered(self._spec.name, code.name, "predict", "REST", time.perf_counter() - self._start)
        seen.answered(status)
        seen.ended()
        reply(status, b"%s%s: %s\r\n" % (own.head, *seen.header), content)
