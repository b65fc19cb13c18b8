"""Runs the requests that a version brings along before it becomes available, so that its first callers do not wait.

In TensorFlow Serving: servables/tensorflow/saved_model_warmup.cc, servables/tensorflow/saved_model_warmup_util.cc."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import tensorflow as tf
from google.protobuf import message
from tensorflow_serving.apis import prediction_log_pb2

from serving import tensor_proto
from serving.calls import classify, regress
from serving.calls.examples import serialized
from serving.calls.inference import Inference
from serving.calls.multi_inference import Task
from serving.errors import (
    Code,
    DataLossError,
    InvalidArgumentError,
    ServingError,
    UnimplementedError,
    from_tensorflow,
)
from serving.grpc_messages import spec_of
from serving.servable import Servable
from serving.server_metrics import ServerMetrics

log = logging.getLogger(__name__)
FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
MOST_RECORDS = 1000


class Warmup:
    """The warm-up of versions: a file of PredictionLogs in each version's folder."""

    def __init__(self, inference: Inference, metrics: ServerMetrics, iterations: int = 1) -> None:
        """iterations: how often each request is run, at least once."""
        self._inference = inference
        self._metrics = metrics
        self._iterations = max(iterations, 1)
        self._kinds: dict[str, Callable[[Servable, Any], Any]] = {
            "predict_log": self._predict,
            "classify_log": partial(self._infer, classify.METHOD),
            "regress_log": partial(self._infer, regress.METHOD),
            "multi_inference_log": self._multi_inference,
        }

    def run(self, servable: Servable, folder: str) -> int:
        """Runs the requests of the version in this folder, against this servable; returns how many there were.

        Raises ServingError when the file, a record or a request is bad: the version's load fails then."""
        path = os.path.join(folder, FILE)
        if not os.path.exists(path):
            log.info("No warmup data file found at %s", path)
            return 0
        start = time.perf_counter()
        records, status = 0, Code.INTERNAL
        try:
            for record in _records(path):
                self._run_record(servable, record, path)
                records += 1
                if records > MOST_RECORDS:
                    raise InvalidArgumentError(
                        f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {path}"
                    )
            status = Code.OK
        except ServingError as error:
            status = error.code
            raise
        finally:
            self._metrics.warmup_latency.observe((time.perf_counter() - start) * 1e6, folder, status.name)
            self._metrics.warmup_records_read.add(folder, status.name, number=records)
        log.info("Finished reading warmup data for model at %s. Number of warmup records read: %d.", folder, records)
        return records

    def _run_record(self, servable: Servable, record: bytes, path: str) -> None:
        try:
            found = prediction_log_pb2.PredictionLog.FromString(record)
        except message.DecodeError as error:
            text = record.decode("utf-8", "backslashreplace")
            raise InvalidArgumentError(f"Failed to parse warmup record: {text} from {path}") from error
        kind = found.WhichOneof("log_type")
        if kind is None:
            return
        if kind not in self._kinds:
            number = found.DESCRIPTOR.fields_by_name[kind].number
            raise UnimplementedError(f"Unsupported log_type for warmup: {number}")
        for _ in range(self._iterations):
            self._kinds[kind](servable, getattr(found, kind).request)

    def _predict(self, servable: Servable, request: Any) -> None:
        signature = spec_of(request.model_spec).signature
        self._inference.predict(
            servable, signature, request.inputs, decode=tensor_proto.decode, output_filter=request.output_filter
        )

    def _infer(self, method: str, servable: Servable, request: Any) -> None:
        signature = spec_of(request.model_spec).signature
        self._inference.infer(servable, signature, method, partial(serialized, request.input))

    def _multi_inference(self, servable: Servable, request: Any) -> None:
        tasks = [Task(spec_of(task.model_spec), task.method_name) for task in request.tasks]
        self._inference.multi_inference(servable, tasks, partial(serialized, request.input))


def _records(path: str) -> Iterator[bytes]:
    """The records of a TFRecord file."""
    try:
        yield from tf.compat.v1.io.tf_record_iterator(path)
    except tf.errors.DataLossError as error:
        raise DataLossError(f"{error.message}. Please verify your warmup data is in TFRecord format.") from error
    except tf.errors.OpError as error:
        raise from_tensorflow(error) from error
