"""Messages at random."""

from hypothesis import HealthCheck, given, settings
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import inference_pb2, predict_pb2

from benchmarks.serving.soak.fuzz import draw
from benchmarks.serving.soak.messages import Messages

MESSAGES = Messages(["kinds", "x"])
QUICK = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(MESSAGES.of(inference_pb2.MultiInferenceRequest.DESCRIPTOR))
def test_they_are_of_the_type_and_on_the_wire_stay_what_they_are(message):
    assert isinstance(message, inference_pb2.MultiInferenceRequest)
    content = message.SerializeToString(deterministic=True)
    parsed = inference_pb2.MultiInferenceRequest.FromString(content)
    assert parsed.SerializeToString(deterministic=True) == content  # NaN is not equal to itself, its bytes are


def test_they_reach_maps_and_nested_messages():
    requests, tensors = [], []
    draw(MESSAGES.of(predict_pb2.PredictRequest.DESCRIPTOR), 300, 0, requests.append)
    draw(MESSAGES.of(tensor_pb2.TensorProto.DESCRIPTOR), 100, 0, tensors.append)
    assert any(m.model_spec.name == "kinds" for m in requests)
    assert any(tensor.tensor_shape.dim for m in requests for tensor in m.inputs.values())
    assert any(m.dtype and m.float_val for m in tensors)
