import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving import servable
from serving.calls.inference import Inference
from serving.errors import Code, ServingError
from serving.server import ModelServer
from serving.server_metrics import ServerMetrics
from serving.warmup import FILE, MOST_RECORDS, Warmup
from tests.serving import exports
from tests.serving.asking import Grpc, fill, predict_request, wait_until

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


@pytest.fixture(scope="module")
def kinds(written):
    found = servable.load("kinds", 1, str(written["kinds"]))
    yield found
    found.close()


@pytest.fixture(scope="module")
def tf1(written):
    found = servable.load("tf1", 1, str(written["tf1"]))
    yield found
    found.close()


def write(folder, *logs):
    """A warm-up file with these logs, or raw bytes, as records."""
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in logs:
            writer.write(log if isinstance(log, bytes) else log.SerializeToString())
    return path


def count_log(by=1, model="another name", **spec):
    log = prediction_log_pb2.PredictionLog()
    request = predict_request(model, {"by": np.int64(by)}, signature="count", **spec)
    log.predict_log.request.CopyFrom(request)
    return log


def counted(kinds):
    slot = kinds.signatures["count"]
    return int(kinds.run({slot.inputs["by"].tensor: np.int64(0)}, [slot.outputs["count"].tensor])[0])


def run(loaded, folder, iterations=1):
    metrics = ServerMetrics()
    return Warmup(Inference(metrics), metrics, iterations).run(loaded, str(folder))


def refused(loaded, folder):
    with pytest.raises(ServingError) as error:
        run(loaded, folder)
    return error.value.status


def test_without_a_file_there_is_nothing_to_run(kinds, tmp_path, logged):
    assert run(kinds, tmp_path) == 0
    assert logged() == [f"No warmup data file found at {tmp_path / FILE}"]


def test_each_request_is_run_whatever_name_and_version_it_has(kinds, tmp_path):
    write(tmp_path, count_log(1), count_log(10, version=77))
    before = counted(kinds)
    assert run(kinds, tmp_path) == 2
    assert counted(kinds) == before + 11


@pytest.mark.parametrize(("iterations", "times"), [(3, 3), (0, 1), (-1, 1)])
def test_each_request_is_run_as_often_as_the_flag_says(kinds, tmp_path, iterations, times):
    write(tmp_path, count_log())
    before = counted(kinds)
    run(kinds, tmp_path, iterations)
    assert counted(kinds) == before + times


def test_a_record_without_a_type_is_skipped(kinds, tmp_path):
    write(tmp_path, prediction_log_pb2.PredictionLog())
    assert run(kinds, tmp_path) == 1


def test_classify_regress_and_multi_inference_are_run(tf1, tmp_path):
    example = tf.train.Example()
    example.features.feature["x"].float_list.value.append(1)
    logs = [prediction_log_pb2.PredictionLog() for _ in range(3)]
    fill(logs[0].classify_log.request.model_spec, "tf1", signature="classify_x")
    logs[0].classify_log.request.input.example_list.examples.append(example)
    fill(logs[1].regress_log.request.model_spec, "tf1", signature="regress_x")
    logs[1].regress_log.request.input.example_list.examples.append(example)
    several = logs[2].multi_inference_log.request
    several.input.example_list.examples.append(example)
    for signature, method in (("classify_x", CLASSIFY), ("regress_x", REGRESS)):
        fill(several.tasks.add(method_name=method).model_spec, "tf1", signature=signature)
    write(tmp_path, *logs)
    assert run(tf1, tmp_path) == 3


def test_a_request_that_fails_fails_the_warm_up_with_its_own_error(kinds, tmp_path):
    log = count_log()
    log.predict_log.request.model_spec.signature_name = "no"
    write(tmp_path, log)
    assert refused(kinds, tmp_path) == 'FAILED_PRECONDITION: Serving signature key "no" not found.'


@pytest.mark.parametrize(("kind", "number"), [("session_run_log", 5), ("predict_streamed_log", 7)])
def test_other_types_are_not_supported(kinds, tmp_path, kind, number):
    log = prediction_log_pb2.PredictionLog()
    getattr(log, kind).SetInParent()
    write(tmp_path, log)
    assert refused(kinds, tmp_path) == f"UNIMPLEMENTED: Unsupported log_type for warmup: {number}"


def test_a_record_that_is_no_log_is_refused(kinds, tmp_path):
    path = write(tmp_path, b"\xff\xffno log")
    assert refused(kinds, tmp_path) == (
        f"INVALID_ARGUMENT: Failed to parse warmup record: \\xff\\xffno log from {path}"
    )


def test_a_file_that_has_no_records_is_data_loss(kinds, tmp_path):
    path = write(tmp_path)
    path.write_bytes(b"this is no file of records at all")
    status = refused(kinds, tmp_path)
    assert status.startswith("DATA_LOSS: ")
    assert status.endswith(". Please verify your warmup data is in TFRecord format.")


def test_1000_records_pass_and_one_more_does_not(kinds, tmp_path):
    before = counted(kinds)
    path = write(tmp_path, *[count_log()] * MOST_RECORDS)
    assert run(kinds, tmp_path) == MOST_RECORDS
    write(tmp_path, *[count_log()] * (MOST_RECORDS + 5))
    assert refused(kinds, tmp_path) == (
        f"INVALID_ARGUMENT: Number of warmup records exceeds the maximum (1000) at {path}"
    )
    assert counted(kinds) == before + 2 * MOST_RECORDS + 1


@pytest.fixture
def warmed(tmp_path, written):
    """A base path whose version 1 counts to 7 when it is warmed up."""
    base = tmp_path / "kinds"
    base.mkdir()
    write(exports.copy(written["kinds"], base / "1"), count_log(7))
    return base


@pytest.mark.parametrize(
    ("flags", "count"),
    [({}, 7), ({"num_request_iterations_for_warmup": 2}, 14), ({"enable_model_warmup": False}, 0)],
)
def test_a_server_warms_a_version_up_before_it_is_available(warmed, flags, count):
    with ModelServer.on_free_ports(model_name="kinds", model_base_path=str(warmed), **flags) as server:
        found = Grpc(f"localhost:{server.grpc_port}").predict("kinds", {"by": np.int64(0)}, signature="count")
        assert found["count"] == count


def test_a_version_whose_warm_up_fails_does_not_become_available(warmed, written):
    flags = {"model_name": "kinds", "model_base_path": str(warmed), "max_num_load_retries": 0}
    with ModelServer.on_free_ports(**flags) as server:
        new = exports.copy(written["kinds"], warmed.parent / "2")
        write(new, b"\xff")
        new.rename(warmed / "2")
        stub = Grpc(f"localhost:{server.grpc_port}")
        wait_until(lambda: stub.status("kinds") == {2: 50, 1: 30})
        assert server.manager.states.versions("kinds")[2].error.code is Code.INVALID_ARGUMENT
