"""A version that is a TensorFlow Lite file, `model.tflite`, run by TensorFlow's own interpreter.

Its signatures are the SignatureDefs in the file's metadata, not those that the interpreter lists.
In TensorFlow Serving: servables/tensorflow/tflite_session.cc."""

import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flatbuffers import flexbuffers
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.lite.python import interpreter as lite
from tensorflow.lite.python import schema_py_generated as schema

from serving import signature
from serving.calls.model_spec import DEFAULT_SIGNATURE
from serving.dtypes import name_of, of_array
from serving.errors import DeadlineExceededError, InternalError, InvalidArgumentError, from_os
from serving.servable import Servable

FILE = "model.tflite"
SIGNATURE_DEFS = b"signature_defs_metadata"
PREDICT = "tensorflow/serving/predict"


class Interpreters:
    """Up to so many of one file, made when they are needed: each runs one call at a time, in memory of its own."""

    def __init__(self, content: bytes, most: int) -> None:
        self._content = content
        self._most = most
        self._made = 0
        self._free: list[Any] = []
        self._changed = threading.Condition()

    def make(self) -> Any:
        """A new one; raises INVALID_ARGUMENT for bytes that are no model."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it will move to another package
                made = lite.Interpreter(model_content=self._content)
            made.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InvalidArgumentError(f"Cannot build FlatBufferModel from buffer. {error}") from error
        return made

    def take(self, timeout_ms: int | None) -> Any:
        """One that is free; raises DEADLINE_EXCEEDED when none is in time."""
        with self._changed:
            seconds = None if timeout_ms is None else timeout_ms / 1000
            if not self._changed.wait_for(lambda: self._free or self._made < self._most, seconds):
                raise DeadlineExceededError("Timed out waiting for notification")
            if self._free:
                return self._free.pop()
            self._made += 1
        try:
            return self.make()
        except BaseException:
            self.drop()
            raise

    def put(self, interpreter: Any) -> None:
        """It is free again."""
        with self._changed:
            self._free.append(interpreter)
            self._changed.notify()

    def drop(self) -> None:
        """One is not used any more."""
        with self._changed:
            self._made -= 1
            self._changed.notify()


class TfliteServable(Servable):
    """Runs calls on the interpreters; inputs are resized to what the call brings."""

    def __init__(self, name: str, version: int, content: bytes, interpreters: int) -> None:
        """interpreters: how many calls run at once."""
        self.name, self.version = name, version
        self._interpreters = Interpreters(content, interpreters)
        first = self._interpreters.take(None)
        self._inputs = {found["name"]: found for found in first.get_input_details()}
        self._outputs = {found["name"]: found for found in first.get_output_details()}
        self._interpreters.put(first)
        self.signature_defs = _signature_defs(content) or {DEFAULT_SIGNATURE: self._of_tensors()}
        self.signatures = {n: signature.from_proto(n, s) for n, s in sorted(self.signature_defs.items())}

    def _of_tensors(self) -> Any:
        """The signature of a file that has none: its tensors, by their names."""
        definition = meta_graph_pb2.SignatureDef(method_name=PREDICT)
        for infos, details in ((definition.inputs, self._inputs), (definition.outputs, self._outputs)):
            for name, found in details.items():
                info = infos[name.partition(":")[0]]
                info.name, info.dtype = name, _dtype(found)
                info.tensor_shape.SetInParent()
                for size in found["shape_signature"].tolist():
                    info.tensor_shape.dim.add(size=size)
        return definition

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], timeout_ms: int | None = None
    ) -> list[np.ndarray]:
        """As Servable.run; the time limit counts while the call waits for an interpreter, a run is not cut."""
        if timeout_ms is not None and timeout_ms <= 0:
            raise DeadlineExceededError("Timed out waiting for notification")
        self.check_dtypes(feeds)
        given = {_found(self._inputs, name, "input")["name"]: array for name, array in feeds.items()}
        wanted = [_found(self._outputs, name, "output")["index"] for name in fetches]
        interpreter = self._interpreters.take(timeout_ms)
        try:
            self._fill(interpreter, given)
            interpreter.invoke()
            values = [interpreter.get_tensor(index) for index in wanted]
        except (ValueError, RuntimeError) as error:
            self._interpreters.drop()  # in what state it is now nobody knows
            raise InternalError(f"Failed to run interpreter. {error}") from None
        except BaseException:
            self._interpreters.drop()
            raise
        self._interpreters.put(interpreter)
        return [np.asarray(value) for value in values]

    def _fill(self, interpreter: Any, given: Mapping[str, np.ndarray]) -> None:
        """Sets all inputs. Those that the signature does not have are zeros, not what an earlier call left there."""
        details = {found["name"]: found for found in interpreter.get_input_details()}
        changed = False
        for name, array in given.items():
            if array.shape != tuple(details[name]["shape"]):
                interpreter.resize_tensor_input(details[name]["index"], array.shape)
                changed = True
        if changed:
            interpreter.allocate_tensors()
        for name, found in details.items():
            array = given[name] if name in given else np.zeros(found["shape"], found["dtype"])
            interpreter.set_tensor(found["index"], np.asarray(array, found["dtype"]))

    def check_dtypes(self, feeds: Mapping[str, np.ndarray]) -> None:
        """As Servable.check_dtypes."""
        for index, (tensor, array) in enumerate(feeds.items()):
            expected, given = _dtype(_found(self._inputs, tensor, "input")), of_array(array).number
            if given != expected:
                raise InvalidArgumentError(
                    f"Expects arg[{index}] to be {name_of(expected)} but {name_of(given)} is provided"
                )

    def close(self) -> None:
        """Frees the interpreters; no call runs any more."""
        del self._interpreters


def _dtype(found: Mapping[str, Any]) -> int:
    return of_array(np.empty(0, object if found["dtype"] is np.bytes_ else found["dtype"])).number


def _found(details: Mapping[str, Any], name: str, what: str) -> Any:
    """The tensor; a name with `:0` also finds one without."""
    found = details.get(name) or details.get(name.removesuffix(":0"))
    if found is None:
        raise InvalidArgumentError(f"Missing {what} TFLite tensor: {name}")
    return found


def _signature_defs(content: bytes) -> dict[str, Any]:
    """Signature name -> SignatureDef, of the file's metadata; empty where it has none."""
    model = schema.Model.GetRootAs(content, 0)
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == SIGNATURE_DEFS:
            packed = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
            try:
                found = flexbuffers.GetRoot(packed).AsMap
                keys = [key.AsKey for key in found.Keys]
                return {key: meta_graph_pb2.SignatureDef.FromString(found[key].AsStringBytes) for key in map(str, keys)}
            except (DecodeError, ValueError, TypeError, IndexError, KeyError) as error:
                raise InvalidArgumentError(f"Invalid SignatureDefs found in TfLite model: {error}") from error
    return {}


def load(name: str, version: int, folder: str, interpreters: int) -> Servable | None:
    """The version, if its folder has a TensorFlow Lite file; None where it has none."""
    path = Path(folder) / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os(error, str(path)) from error
    return TfliteServable(name, version, content, interpreters)
