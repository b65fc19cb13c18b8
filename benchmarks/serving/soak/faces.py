"""Sends one input to a server and judges the answer; then asks what has a good answer, over the same face."""

import contextlib
import http.client
import json
import socket
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import predict_pb2

from benchmarks.serving.soak.inputs import PREDICTION, RELOAD, DescribedInput, GrpcInput, RawInput, RestInput
from serving import tensor_proto

SECONDS = 30  # an answer that takes longer is a hang
RELOAD_SECONDS = 0.5  # a list may name a model that never comes, which is waited for
FIRST_SECONDS = 0.02  # an HTTP request that is not whole has no answer: then its end is sent
HTTP_STATUSES = (200, 400, 404, 409, 413, 429, 431, 501)
CODES = ("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "UNIMPLEMENTED", "OUT_OF_RANGE", "RESOURCE_EXHAUSTED")
NO_MESSAGE = "Exception deserializing request!"  # gRPC's answer to bytes that are no message, with INTERNAL
NOT_AVAILABLE = "did not become available"  # with UNKNOWN, a reload
BODY = b'{"instances": [[1.0]]}'
Input = GrpcInput | RestInput | RawInput | DescribedInput


class Faces:
    """Both faces of one server. A complaint says what is wrong with an answer; None: nothing."""

    def __init__(self, grpc_port: int, rest_port: int, answer: float) -> None:
        """answer: of the model scale for 1."""
        self._rest_port = rest_port
        self._answer = answer
        self._channel = grpc.insecure_channel(f"localhost:{grpc_port}", [("grpc.max_receive_message_length", -1)])
        self._http: http.client.HTTPConnection | None = None
        good = predict_pb2.PredictRequest()
        good.model_spec.name = "scale"
        good.inputs["x"].CopyFrom(tensor_proto.encode(np.array([[1]], np.float32)))
        self._good = good.SerializeToString()

    def close(self) -> None:
        """Ends the connections."""
        self._channel.close()
        self._hang_up()

    def answer(self, given: Input) -> tuple[str, str | None]:
        """The status that the input is answered with, and the complaint about the answer."""
        if isinstance(given, GrpcInput):
            return self._over_grpc(given)
        if isinstance(given, DescribedInput):
            return given.send()
        return self._over_rest(given) if isinstance(given, RestInput) else self._raw(given)

    def good(self, given: Input) -> str | None:
        """About the answer to a good request over the face that the input came over."""
        return self.good_over_grpc() if isinstance(given, GrpcInput) else self.good_over_rest()

    def call(self, method: str, content: bytes, seconds: float = SECONDS) -> tuple[str, Any]:
        """(status, the answer's bytes or the error's text) of a gRPC call."""
        try:
            return "OK", self._channel.unary_unary(method)(content, timeout=seconds)
        except grpc.RpcError as error:
            return error.code().name, error.details()

    def good_over_grpc(self) -> str | None:
        """About the answer to a good call."""
        code, found = self.call(PREDICTION + "Predict", self._good)
        if code == "OK":
            value = predict_pb2.PredictResponse.FromString(found).outputs["y"].float_val[0]
            return None if value == self._answer else f"a good gRPC call is answered with {value}"
        return f"a good gRPC call is answered with {code}: {found}"

    def good_over_rest(self) -> str | None:
        """About the answer to a good request."""
        try:
            status, _, body = self._ask("/v1/models/scale:predict", BODY)
        except (OSError, http.client.HTTPException) as error:
            return f"a good REST request is not answered: {error!r}"
        if status == 200 and json.loads(body) == {"predictions": [[self._answer]]}:
            return None
        return f"a good REST request is answered with {status}: {body!r}"

    def _over_grpc(self, given: GrpcInput) -> tuple[str, str | None]:
        reload = given.method == RELOAD
        code, text = self.call(given.method, given.content, RELOAD_SECONDS if reload else SECONDS)
        well = code == "OK" or (code in CODES and text) or (code == "INTERNAL" and text == NO_MESSAGE)
        if reload:
            well = well or code == "DEADLINE_EXCEEDED" or (code == "UNKNOWN" and NOT_AVAILABLE in text)
        return code, None if well else f"{code}: {text}"

    def _over_rest(self, given: RestInput) -> tuple[str, str | None]:
        try:
            status, kind, body = self._ask(given.path, given.body, dict(given.headers))
        except (OSError, http.client.HTTPException) as error:
            return "none", f"no answer: {error!r}"
        well = status in HTTP_STATUSES and kind == "application/json" and (status == 200 or _is_error(body))
        return str(status), None if well else f"{status}, {kind}: {body[:200]!r}"

    def _raw(self, given: RawInput) -> tuple[str, str | None]:
        try:
            answer = self._exchange(given.content)
        except TimeoutError:
            return "none", f"neither an answer nor an end within {SECONDS} seconds"
        if not answer:
            return "closed", None  # the request was not whole, or its answer late
        status = answer[9:12].decode("latin-1")
        well = answer.startswith(b"HTTP/1.1 ") and status.isdigit() and int(status) in HTTP_STATUSES
        return status, None if well else f"{answer[:200]!r}"

    def _exchange(self, content: bytes) -> bytes:
        """All that comes back; empty where the server only closes."""
        parts = []
        with socket.create_connection(("localhost", self._rest_port), timeout=FIRST_SECONDS) as sock:
            try:
                sock.sendall(content)
                with contextlib.suppress(TimeoutError):
                    parts.append(sock.recv(1 << 16))
                sock.settimeout(SECONDS)
                sock.shutdown(socket.SHUT_WR)
                while part := sock.recv(1 << 16):
                    parts.append(part)
            except (ConnectionError, OSError) as error:
                if isinstance(error, TimeoutError):
                    raise
        return b"".join(parts)

    def _ask(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, str, bytes]:
        """(status, content type, body), over one connection as long as it lasts."""
        if self._http is None:
            self._http = http.client.HTTPConnection("localhost", self._rest_port, timeout=SECONDS)
        try:
            self._http.request("POST", path, body, headers or {})
            answer = self._http.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read()
        except BaseException:
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None


def _is_error(body: bytes) -> bool:
    """Whether it is {"error": "<text>"}."""
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and list(found) == ["error"] and isinstance(found["error"], str)
