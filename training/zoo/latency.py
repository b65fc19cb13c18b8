"""How long one call of an exported model takes, in process: the median of `CALLS` calls with its warm-up request.

    python -m training.zoo.latency [MODEL ...]

measures the weights that come along again and writes the result into their records; for an idle machine.
"""

import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from training.evaluation import exported
from training.export.command import export
from training.tasks.task import Arrays

CALLS = 101
SIGNATURE = "serving_default"


def latency_ms(folder: Path) -> float:
    """The median time of a call of `serving_default` of a SavedModel, in milliseconds."""
    predict, inputs, times = exported(folder), warmup_request(folder), []
    for _ in range(CALLS):
        began = time.perf_counter()
        predict(inputs)
        times.append(time.perf_counter() - began)
    return round(1e3 * float(np.median(times)), 3)


def warmup_request(folder: Path) -> Arrays:
    """The inputs of the SavedModel's own warm-up request for `serving_default`."""
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    for text in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(text).predict_log.request
        if request.model_spec.signature_name == SIGNATURE:
            return {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
    raise ValueError(f"{path} holds no request for {SIGNATURE}; expected one for each signature. Export it again.")


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0))


def main() -> None:
    """Measures the models that are named, or all that have a record."""
    from training.zoo.record import all_recorded, write

    records = all_recorded()
    for name in sys.argv[1:] or records:
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["SEQZOO_HOME"] = scratch  # where nothing was trained, so that what comes along is exported
            measured = replace(records[name], latency_ms=latency_ms(export(name, Path(scratch))), cores=cores())
        write(measured)
        print(f"{name} {measured.latency_ms} ms")


if __name__ == "__main__":
    main()
