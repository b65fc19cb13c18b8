"""Small clients for both faces: numpy in, numpy out, deadlines, errors with the server's code and text.

A call that is answered with UNAVAILABLE, or not at all because the connection breaks, is tried again after a pause that
doubles each time, as long as its deadline allows. A text that comes token by token is not, nor is a call that carries
the inputs of a sequence, which must not be counted twice: `Sequence` repeats those, with their numbers.

Stock clients work as well; these spare the caller the messages. The address forms are those of gRPC (`host:port`,
`unix:path`) and HTTP (`http://host:port`)."""

import base64
import http.client
import json
import select
import socket
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Listed
from functools import partial
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import grpc
import numpy as np
import orjson
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving import tensor_proto
from serving.client_error import ClientError
from serving.client_tls import Tls
from serving.dtypes import DTYPES
from serving.errors import Code
from serving.http_codes import code_of
from serving.retrying import RETRIES, Retrying
from serving.sequence_client import Sequence
from serving.sequences.special_inputs import ID, SPECIAL, STEP, has_special
from serving.stream_client import CODEC, METHOD, Fields, Generates, Generation, grpc_events, message, rest_events

Arrays = Mapping[str, Any]
States = dict[int, str]  # version -> AVAILABLE, LOADING ...
Self = TypeVar("Self", bound="_Client")
# gRPC's own is 1 s: until then a channel answers UNAVAILABLE by itself, and the first retries would reach nobody.
RECONNECT = ("grpc.initial_reconnect_backoff_ms", 100)


class _Client:
    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        raise NotImplementedError


class GrpcClient(_Client, Generates):
    """Asks over gRPC."""

    def __init__(
        self,
        address: str,
        timeout: float = 30.0,
        credentials: grpc.ChannelCredentials | None = None,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        retries: int = RETRIES,
    ) -> None:
        """timeout: seconds that each call may take, with its retries; tls, or gRPC's own credentials: None for a plain
        connection; token: for a server with --auth_tokens_file, over a plain connection everybody on the way can read
        it; retries: further tries of a call that is UNAVAILABLE, 0 for none."""
        credentials = tls.channel_credentials() if tls is not None else credentials
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), RECONNECT]
        self._channel = (
            grpc.insecure_channel(address, options)
            if credentials is None
            else grpc.secure_channel(address, credentials, options)
        )
        self._timeout = timeout
        self._retries = retries
        self._metadata = () if token is None else (("authorization", f"Bearer {token}"),)
        self._declared: dict[Any, Mapping[str, int]] = {}  # dtypes of inputs, of the signatures asked so far
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._model = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._text = self._channel.unary_stream(METHOD, **CODEC)

    def predict(
        self,
        model: str,
        inputs: Arrays,
        *,
        signature_name: str = "",
        version: int | None = None,
        label: str | None = None,
        outputs: Listed[str] = (),
    ) -> dict[str, np.ndarray]:
        """Output alias -> array; inputs: alias -> array, or lists, which get the dtype that the signature declares;
        outputs: only these.

        Raises ClientError with the server's code and text."""
        request = predict_pb2.PredictRequest(output_filter=outputs)
        _fill(request.model_spec, model, version, label)
        request.model_spec.signature_name = signature_name
        for alias, value in inputs.items():
            array = _to_array(value)
            if not isinstance(value, (np.ndarray, np.generic)):
                dtype = self._input_dtypes(model, version, label, signature_name or "serving_default").get(alias)
                array = array.astype(DTYPES[dtype].numpy) if dtype in DTYPES else array
            request.inputs[alias].CopyFrom(tensor_proto.encode(array, as_content=True))
        response = self._call(self._prediction.Predict, request, again=not has_special(inputs))
        return {alias: tensor_proto.decode(tensor) for alias, tensor in response.outputs.items()}

    def sequence(self, model: str, *others: "GrpcClient", **options: Any) -> Sequence:
        """A sequence that the server holds; others: clients of servers with the same store, asked when this one is
        lost; options: those of `Sequence`."""
        return Sequence([self, *others], model, **options)

    def _input_dtypes(self, model: str, version: int | None, label: str | None, signature: str) -> Mapping[str, int]:
        """Alias -> dtype number of the inputs; the server is asked once for each signature."""
        key = (model, version, label, signature)
        if key not in self._declared:
            found = self.signatures(model, version, label).get(signature)
            self._declared[key] = {} if found is None else {a: info.dtype for a, info in found.inputs.items()}
        return self._declared[key]

    def status(self, model: str, version: int | None = None) -> States:
        """Version -> state, of every version that the server has seen, highest first."""
        request = get_model_status_pb2.GetModelStatusRequest()
        _fill(request.model_spec, model, version, None)
        response = self._call(self._model.GetModelStatus, request)
        names = get_model_status_pb2.ModelVersionStatus.State
        return {found.version: names.Name(found.state) for found in response.model_version_status}

    def signatures(self, model: str, version: int | None = None, label: str | None = None) -> dict[str, Any]:
        """Signature name -> SignatureDef."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        _fill(request.model_spec, model, version, label)
        response = self._call(self._prediction.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return dict(signatures.signature_def)

    def _stream(self, model: str, version: int | None, label: str | None, keys: Fields) -> Generation:
        request = message(keys)
        _fill(request.model_spec, model, version, label)
        call = self._text(request, metadata=self._metadata)
        return Generation(grpc_events(call, _failure, self._timeout), call.cancel)

    def _call(self, method: Any, request: Any, again: bool = True) -> Any:
        def once(seconds: float) -> Any:
            try:
                return method(request, timeout=seconds, metadata=self._metadata)
            except grpc.RpcError as error:
                raise _failure(error) from None

        return Retrying().ask(once, self._timeout, self._retries if again else 0)

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()


class RestClient(_Client, Generates):
    """Asks over HTTP, on one connection that is kept; not for use by several threads at once."""

    def __init__(
        self,
        url: str,
        timeout: float = 30.0,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        retries: int = RETRIES,
    ) -> None:
        """url: `http://host:port` or `https://host:port`; timeout: seconds that each request may take, with its
        retries; tls: what differs from the usual with https; token: for a server with --auth_tokens_file; retries:
        further tries of a request that is UNAVAILABLE, 0 for none."""
        parts = urlsplit(url if "//" in url else f"//{url}")
        host = parts.hostname or "localhost"
        if tls is not None and parts.scheme != "https":
            raise ValueError(f"RestClient got tls for {url!r}; expected https://host:port")
        context = (tls or Tls()).context() if parts.scheme == "https" else None
        self._connect: Callable[[], http.client.HTTPConnection] = (
            partial(http.client.HTTPConnection, host, parts.port, timeout=timeout)
            if context is None
            else partial(http.client.HTTPSConnection, host, parts.port, timeout=timeout, context=context)
        )
        self._connection = self._connect()
        self._timeout = timeout
        self._retries = retries
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._outputs: dict[tuple[str, str], Mapping[str, Any]] = {}

    def predict(
        self,
        model: str,
        inputs: Arrays,
        *,
        signature_name: str = "",
        version: int | None = None,
        label: str | None = None,
        outputs: Listed[str] = (),
    ) -> dict[str, np.ndarray]:
        """Output alias -> array with the dtype that the signature declares; inputs as for GrpcClient; outputs: only
        these of all that the server sends.

        Raises ClientError with the server's text and the code that its HTTP status stands for."""
        path = _path(model, version, label)
        members = [f"{json.dumps(alias)}:{_json(_to_array(value))}" for alias, value in inputs.items()]
        body = f'{{"signature_name":{json.dumps(signature_name)},"inputs":{{{",".join(members)}}}}}'
        content = self._request("POST", f"{path}:predict", body.encode(), again=not has_special(inputs))
        found = json.loads(content)["outputs"]
        declared = self._declared(path, signature_name or "serving_default")
        named = len(declared) > 1 or any(alias in inputs for alias in SPECIAL)
        values = found if named else {next(iter(declared)): found}
        dtypes = {alias: info["dtype"] for alias, info in declared.items()}
        number = isinstance(np.asarray(values.get(ID)).reshape(-1)[0], np.integer)
        dtypes |= {ID: "DT_UINT64" if number else "DT_STRING", STEP: "DT_INT64"}
        return {a: _from_json(value, dtypes[a]) for a, value in values.items() if not outputs or a in outputs}

    def sequence(self, model: str, *others: "RestClient", **options: Any) -> Sequence:
        """As that of GrpcClient."""
        return Sequence([self, *others], model, **options)

    def status(self, model: str, version: int | None = None) -> States:
        """Version -> state, of every version that the server has seen, highest first."""
        found = json.loads(self._request("GET", _path(model, version, None)))["model_version_status"]
        return {int(entry["version"]): entry["state"] for entry in found}

    def signatures(self, model: str, version: int | None = None, label: str | None = None) -> dict[str, Any]:
        """Signature name -> its JSON."""
        content = json.loads(self._request("GET", f"{_path(model, version, label)}/metadata"))
        found: dict[str, Any] = content["metadata"]["signature_def"]["signature_def"]
        return found

    def _declared(self, path: str, signature_name: str) -> Mapping[str, Any]:
        """The outputs of a signature: a single one comes without its name, so the server is asked once."""
        key = (path, signature_name)
        if key not in self._outputs:
            content = json.loads(self._request("GET", f"{path}/metadata"))
            self._outputs[key] = content["metadata"]["signature_def"]["signature_def"][signature_name]["outputs"]
        return self._outputs[key]

    def _stream(self, model: str, version: int | None, label: str | None, keys: Fields) -> Generation:
        """On a connection of its own, which ends with it."""
        connection = self._connect()
        path, body = f"{_path(model, version, label)}:generate_stream", json.dumps(keys).encode()
        return Generation(rest_events(connection, path, body, self._headers), connection.close)

    def _request(self, method: str, path: str, body: bytes | None = None, again: bool = True) -> bytes:
        once = partial(self._once, method, path, body)
        return Retrying().ask(once, self._timeout, self._retries if again else 0)

    def _once(self, method: str, path: str, body: bytes | None, seconds: float) -> bytes:
        try:
            headers = self._headers | {"Content-Type": "application/json"} if body else self._headers
            self._open(seconds)
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except TimeoutError as error:
            self._connection.close()
            raise ClientError(f"no answer in {self._timeout} s", Code.DEADLINE_EXCEEDED) from error
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ClientError(f"{self._connection.host}:{self._connection.port}: {error}", Code.UNAVAILABLE) from error
        if response.status == http.client.OK:
            return content
        try:
            text = json.loads(content)["error"]
        except (ValueError, KeyError, TypeError):
            text = f"HTTP {response.status} {response.reason}"
        raise ClientError(text, code_of(response.status))

    def _open(self, seconds: float) -> None:
        """Lets the connection wait for so long, and makes it anew if the server has closed it meanwhile."""
        if self._connection.sock is not None and _is_closed(self._connection.sock):
            self._connection.close()
        self._connection.timeout = seconds
        if self._connection.sock is not None:
            self._connection.sock.settimeout(seconds)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()


def _failure(error: Any) -> ClientError:
    return ClientError(error.details() or "", Code[error.code().name])


def _is_closed(sock: socket.socket) -> bool:
    """Whether a connection on which no answer is due has something to read: its end, from a server that it idled on."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _fill(proto: Any, model: str, version: int | None, label: str | None) -> None:
    proto.name = model
    if version is not None:
        proto.version.value = version
    if label is not None:
        proto.version_label = label


def _path(model: str, version: int | None, label: str | None) -> str:
    path = f"/v1/models/{quote(model, safe='')}"
    if version is not None:
        return f"{path}/versions/{version}"
    return path if label is None else f"{path}/labels/{quote(label, safe='')}"


def _to_array(value: Any) -> np.ndarray:
    """The array; text becomes bytes."""
    array = np.asarray(value)
    if array.dtype.kind in "US" or array.dtype == object:
        flat = np.empty(array.size, object)
        flat[:] = [v.encode() if isinstance(v, str) else bytes(v) for v in array.reshape(-1).tolist()]
        return flat.reshape(array.shape)
    return array


def _json(array: np.ndarray) -> str:
    """The JSON of an array; bytes go as base64."""
    if array.dtype == object:
        objects = np.empty(array.size, object)
        objects[:] = [{"b64": base64.b64encode(value).decode()} for value in array.reshape(-1)]
        return json.dumps(objects.reshape(array.shape).tolist())
    if array.dtype.kind == "f" and np.isfinite(array).all() and array.dtype.itemsize >= 4:
        return orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return json.dumps(array.tolist())


def _from_json(value: Any, dtype: str) -> np.ndarray:
    found = DTYPES[types_pb2.DataType.Value(dtype)]
    if found.enum != "DT_STRING":
        return np.array(value, found.numpy)
    return _to_array(np.array(_decoded(value), object))


def _decoded(value: Any) -> Any:
    """Text, and `{"b64": ...}` as bytes, in their nested lists."""
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value
