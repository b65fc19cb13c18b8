import threading

import numpy as np
import pytest
from tensorflow.core.protobuf import config_pb2

from serving import servable
from serving.errors import Code, ServingError
from tests.serving import exports


@pytest.fixture(scope="module")
def kinds(written):
    found = servable.load("kinds", 1, str(written["kinds"]))
    yield found
    found.close()


def run(loaded, signature, timeout_ms=None, **inputs):
    """Output alias -> array, by the tensors of the signature."""
    found = loaded.signatures[signature]
    feeds = {found.inputs[alias].tensor: np.asarray(value) for alias, value in inputs.items()}
    outputs = loaded.run(feeds, [slot.tensor for slot in found.outputs.values()], timeout_ms)
    return dict(zip(found.outputs, outputs, strict=True))


def refused(*args, **kwargs):
    with pytest.raises(ServingError) as error:
        run(*args, **kwargs)
    return error.value


def test_a_signature_runs_by_the_names_of_its_tensors(kinds):
    found = run(kinds, "two", a=np.float32([[1, 2]]), b=np.int64([[3, 4]]))
    assert {alias: array.tolist() for alias, array in found.items()} == {"sum": [[4, 6]], "twice": [[6, 8]]}


@pytest.mark.parametrize("dtype", exports.ECHOED)
@pytest.mark.parametrize("shape", [(), (0,), (2,), (2, 3)])
def test_every_dtype_and_rank_comes_back_as_it_went(kinds, dtype, shape):
    array = np.full(shape, b"a\x00\xff", object) if dtype == "string" else np.ones(shape, kinds_numpy(dtype))
    found = run(kinds, f"echo_{dtype}", x=array)["y"]
    assert isinstance(found, np.ndarray)
    assert (found.dtype, found.shape, found.tolist()) == (array.dtype, array.shape, array.tolist())


def kinds_numpy(dtype):
    import tensorflow as tf

    return getattr(tf, dtype).as_numpy_dtype


def test_declared_shapes_are_not_checked(written):
    loaded = servable.load("scale", 1, str(written["scale"]))
    assert run(loaded, "serving_default", x=np.float32([1, 2, 3]))["y"].tolist() == [2, 4, 6]
    loaded.close()


def test_a_wrong_dtype_is_refused_with_the_runtimes_text(kinds):
    error = refused(kinds, "two", a=np.float32([[1, 2]]), b=np.float32([[1, 2]]))
    assert error.status == "INVALID_ARGUMENT: Expects arg[1] to be int64 but float is provided"
    assert refused(kinds, "echo_string", x=np.float64(1)).message == (
        "Expects arg[0] to be string but double is provided"
    )


def test_a_shape_that_the_graph_does_not_take_is_the_kernels_error(kinds):
    error = refused(kinds, "matrix", x=np.zeros((2, 4), np.float32))
    assert error.code is Code.INVALID_ARGUMENT
    assert "[2,4]" in error.message


@pytest.mark.parametrize("timeout_ms", [None, 60_000])
def test_a_run_with_and_without_a_deadline_gives_the_same(kinds, timeout_ms):
    assert run(kinds, "scalar", timeout_ms, x=np.float32(3))["y"].tolist() == 6


def test_a_run_that_takes_too_long_is_ended(kinds):
    error = refused(kinds, "steps", 64, steps=np.int32(1 << 30))
    assert error.code is Code.DEADLINE_EXCEEDED
    assert run(kinds, "steps", steps=np.int32(3))["x"].shape == (4,)


def test_a_run_whose_time_is_over_is_not_begun(kinds):
    before = run(kinds, "count", by=np.int64(0))["count"]
    assert refused(kinds, "count", 0, by=np.int64(1)).code is Code.DEADLINE_EXCEEDED
    assert run(kinds, "count", by=np.int64(0))["count"] == before


def test_a_variable_that_a_call_changes_stays_changed(kinds):
    before = run(kinds, "count", by=np.int64(0))["count"]
    run(kinds, "count", by=np.int64(5))
    assert run(kinds, "count", by=np.int64(0))["count"] == before + 5


def test_many_threads_run_at_once(kinds):
    wrong = []

    def ask(value):
        for _ in range(50):
            if run(kinds, "scalar", x=np.float32(value))["y"] != 2 * value:
                wrong.append(value)

    threads = [threading.Thread(target=ask, args=(value,)) for value in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_the_number_of_callables_is_bounded_and_the_least_used_go(kinds, monkeypatch):
    monkeypatch.setattr(servable, "MOST_CALLABLES", 4)
    for seconds in range(1, 9):
        run(kinds, "scalar", x=np.float32(1))
        run(kinds, "scalar", 1000 << seconds, x=np.float32(1))
    assert len(kinds._callables) <= 4
    assert any(limit == 0 for _, _, limit in kinds._callables)


def test_a_tf1_export_runs_with_its_tables(written):
    loaded = servable.load("tf1", 123, str(written["tf1"]))
    assert run(loaded, "serving_default", x=np.float32([[1]]))["y"].tolist() == [[2.5]]
    assert loaded.signatures["classify_x"].method_name == "tensorflow/serving/classify"
    loaded.close()


def test_a_text_export_runs(written, tmp_path):
    folder = exports.copy(written["scale"], tmp_path / "1")
    exports.as_text(folder)
    loaded = servable.load("scale", 1, str(folder))
    assert run(loaded, "serving_default", x=np.float32([[1]]))["y"].tolist() == [[2]]
    loaded.close()


def test_a_broken_version_is_an_error_and_leaves_no_session(tmp_path):
    folder = exports.broken(tmp_path / "1")
    with pytest.raises(ServingError) as error:
        servable.load("m", 1, str(folder))
    assert error.value.code is Code.DATA_LOSS


def test_variables_that_are_missing_are_an_error(written, tmp_path):
    folder = exports.copy(written["scale"], tmp_path / "1")
    for path in (folder / "variables").iterdir():
        path.unlink()
    with pytest.raises(ServingError) as error:
        servable.load("m", 1, str(folder))
    assert "variables" in error.value.message


def test_defaults_are_those_of_the_file(kinds):
    assert kinds.signatures["defaults"].defaults["b"].tolist() == [[10, 20]]
    assert kinds.signatures["two"].defaults == {}


@pytest.mark.parametrize("threads", [0, 2])
def test_a_run_stays_on_the_callers_thread_unless_threads_between_operations_are_asked_for(written, threads):
    config = config_pb2.ConfigProto(inter_op_parallelism_threads=threads)
    loaded = servable.load("scale", 1, str(written["scale"]), config=config)
    assert loaded._in_caller is (threads == 0)
    assert run(loaded, "serving_default", x=np.float32([1]))["y"].tolist() == [2]
    loaded.close()
