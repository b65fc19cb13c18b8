"""The requests of the checker, put together by hand: a million of them would wait for the usual helpers."""

import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2

DTYPES = {np.float32: types_pb2.DT_FLOAT, np.float64: types_pb2.DT_DOUBLE, np.uint64: types_pb2.DT_UINT64}
DTYPES |= {np.uint32: types_pb2.DT_UINT32, np.int64: types_pb2.DT_INT64}


def message(chunk, sequence, control, step, version=None):
    """A step of the model `m`; chunk, step and version may be None."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", "step"
    if version is not None:
        request.model_spec.version.value = version
    if chunk is not None:
        _fill(request.inputs["x"], chunk)
    if isinstance(sequence, str):
        _shape(request.inputs["sequence_id"], types_pb2.DT_STRING, [1]).string_val.append(sequence.encode())
    else:
        _fill(request.inputs["sequence_id"], np.array([sequence], np.uint64))
    _fill(request.inputs["sequence_control_input"], np.array([control], np.uint32))
    if step is not None:
        _fill(request.inputs["sequence_step"], np.array([step], np.int64))
    return request


def _fill(proto, array):
    _shape(proto, DTYPES[array.dtype.type], array.shape).tensor_content = array.tobytes()


def _shape(proto, dtype, shape):
    proto.dtype = dtype
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto
