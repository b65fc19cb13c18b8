import threading

import numpy as np
import pytest

from serving import servable
from serving.batching.batched import LATE, PER_MODEL_FILE, BatchedServable, parameters_for
from serving.batching.parameters import Parameters
from serving.batching.scheduler import Scheduler
from serving.clock import SystemClock
from serving.errors import Code, ServingError
from serving.server import ModelServer
from serving.server_metrics import ServerMetrics
from tests.serving import exports
from tests.serving.asking import Grpc, Rest, refused, wait_until


@pytest.fixture(scope="module")
def kinds(written):
    found = servable.load("kinds", 1, str(written["kinds"]))
    yield found
    found.close()


@pytest.fixture
def metrics():
    return ServerMetrics()


@pytest.fixture
def make(kinds, metrics):
    """A batched servable, with threads of its own unless it is told to have none."""
    made = []

    def batched(threads=1, clock=None, **parameters):
        clock = clock or SystemClock()
        scheduler = Scheduler(threads, clock)
        scheduler.start()
        made.append(scheduler)
        return BatchedServable(kinds, Parameters(**parameters), scheduler, metrics, clock)

    yield batched
    for scheduler in made:
        scheduler.stop()


def run(loaded, signature="echo_float32", timeout_ms=None, outputs=None, **inputs):
    found = loaded.signatures[signature]
    feeds = {found.inputs[alias].tensor: np.asarray(value) for alias, value in inputs.items()}
    return loaded.run(feeds, outputs or [slot.tensor for slot in found.outputs.values()], timeout_ms)


def at_once(*calls):
    """Calls in threads; what each gave or raised."""
    results = [None] * len(calls)

    def keep(index, call):
        try:
            results[index] = call()
        except ServingError as error:
            results[index] = error

    threads = [threading.Thread(target=keep, args=(index, call)) for index, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_calls_are_joined_and_each_gets_its_own_rows(make, metrics):
    loaded = make(max_batch_size=4, batch_timeout_micros=10_000_000)
    values = [np.float32([[value, value]] * rows) for value, rows in ((1, 1), (2, 2), (3, 1))]
    results = at_once(*(lambda v=value: run(loaded, x=v) for value in values))
    assert [result[0].tolist() for result in results] == [value.tolist() for value in values]
    assert metrics.wrapped_run_count.first() == 1


def test_outputs_come_in_the_order_that_was_asked_for(make):
    loaded = make()
    outputs = loaded.signatures["two"].outputs
    inputs = {"a": np.float32([[1, 2]]), "b": np.int64([[3, 4]])}
    for aliases in (["sum", "twice"], ["twice", "sum"]):
        found = run(loaded, "two", outputs=[outputs[alias].tensor for alias in aliases], **inputs)
        assert dict(zip(aliases, (array.tolist() for array in found), strict=True)) == {
            "sum": [[4, 6]],
            "twice": [[6, 8]],
        }


def test_calls_for_other_outputs_never_share_a_batch(make, metrics):
    loaded = make(max_batch_size=2, batch_timeout_micros=50_000)
    outputs = loaded.signatures["two"].outputs
    inputs = {"a": np.float32([[1, 2]]), "b": np.int64([[3, 4]])}
    at_once(
        lambda: run(loaded, "two", outputs=[outputs["sum"].tensor], **inputs),
        lambda: run(loaded, "two", outputs=[outputs["twice"].tensor], **inputs),
    )
    assert metrics.wrapped_run_count.first() == 2


def test_a_wrong_dtype_harms_only_its_own_call(make):
    loaded = make(max_batch_size=2, batch_timeout_micros=50_000)
    good, bad = at_once(lambda: run(loaded, x=np.float32([1])), lambda: run(loaded, x=np.int32([1])))
    assert good[0].tolist() == [1]
    assert bad.message == "Expects arg[0] to be float but int32 is provided"


def test_a_failing_run_fails_every_call_in_it_with_the_same_status(make):
    loaded = make(max_batch_size=2, batch_timeout_micros=10_000_000)
    wrong = np.zeros((1, 4), np.float32)
    first, second = at_once(*[lambda: run(loaded, "matrix", x=wrong)] * 2)
    assert first.status == second.status
    assert first.code is Code.INVALID_ARGUMENT


def test_shapes_that_differ_fail_the_whole_batch(make):
    loaded = make(max_batch_size=2, batch_timeout_micros=10_000_000)
    results = at_once(*(lambda n=n: run(loaded, x=np.zeros((1, n), np.float32)) for n in (1, 2)))
    assert {result.code for result in results} == {Code.FAILED_PRECONDITION}


def test_padding_makes_them_fit_and_padded_axes_are_not_cut(make):
    loaded = make(max_batch_size=2, batch_timeout_micros=10_000_000, pad_variable_length_inputs=True)
    results = at_once(*(lambda n=n: run(loaded, x=np.full((1, n), n, np.float32)) for n in (1, 3)))
    assert [result[0].tolist() for result in results] == [[[1, 1, 1]], [[3, 3, 3]]]


def test_a_large_call_is_split_and_joined_again(make, metrics):
    loaded = make(max_batch_size=100, enable_large_batch_splitting=True, max_execution_batch_size=4)
    assert run(loaded, x=np.arange(10, dtype=np.float32))[0].tolist() == list(range(10))
    assert metrics.wrapped_run_count.first() == 3


def test_a_batch_whose_calls_are_all_late_is_not_run(make, clock):
    loaded = make(threads=0, clock=clock)
    scheduler = loaded._scheduler
    results = []

    def late():
        results.extend(at_once(lambda: run(loaded, "echo_float32", 5, x=np.float32([1]))))

    waiting = threading.Thread(target=late)
    waiting.start()
    found = wait_until(lambda: isinstance(taken := scheduler.take(), tuple) and taken)
    clock.now += 5000
    batch, run_batch = found
    run_batch(batch)
    waiting.join(30)
    assert results[0].status == f"RESOURCE_EXHAUSTED: {LATE}"


def test_metrics_of_batches(make, metrics):
    loaded = make(max_batch_size=8, allowed_batch_sizes=(4, 8))
    run(loaded, x=np.float32([1, 2, 3]))
    text = metrics.text()
    prefix = ":tensorflow:serving:batching_session:"
    for sample in (
        'queuing_latency_count{thread_pool_name=""} 1',
        "wrapped_run_count{} 1",
        'padding_size_sum{execution_batch_size="4"} 1',
        "input_batch_size_sum{} 3",
        "processed_batch_size_sum{} 4",
    ):
        assert f"{prefix}{sample}\n" in text


def test_each_versions_own_file_counts_when_the_flag_says_so(tmp_path):
    of_all = Parameters(7)
    assert parameters_for(str(tmp_path), of_all, per_model=False) is of_all
    assert parameters_for(str(tmp_path), of_all, per_model=True) is None
    (tmp_path / PER_MODEL_FILE).write_text("max_batch_size { value: 3 }")
    assert parameters_for(str(tmp_path), of_all, per_model=True) == Parameters(3)


@pytest.fixture
def base(tmp_path, written):
    base = tmp_path / "kinds"
    base.mkdir()
    exports.copy(written["kinds"], base / "1")
    return base


def flags(base, text=None, **more):
    found = {"model_name": "kinds", "model_base_path": str(base), "enable_batching": True, "max_num_load_retries": 0}
    if text is not None:
        path = base.parent / "batching"
        path.write_text(text)
        found["batching_parameters_file"] = str(path)
    return found | more


def test_a_server_batches_calls_of_both_faces(base):
    text = "max_batch_size { value: 2 } batch_timeout_micros { value: 10000000 }"
    with ModelServer.on_free_ports(**flags(base, text)) as server:
        stub, rest = Grpc(f"localhost:{server.grpc_port}"), Rest(server.rest_port)
        body = {"signature_name": "echo_float32", "instances": [1]}
        over_grpc, over_http = at_once(
            lambda: stub.predict("kinds", {"x": np.float32([2])}, signature="echo_float32"),
            lambda: rest.predict("kinds", body).json(),
        )
        assert over_grpc["y"].tolist() == [2]
        assert over_http == {"predictions": [1.0]}
        assert server.metrics.wrapped_run_count.first() == 1


def test_errors_of_batching_reach_the_caller(base):
    with ModelServer.on_free_ports(**flags(base, "max_batch_size { value: 2 }")) as server:
        stub, rest = Grpc(f"localhost:{server.grpc_port}"), Rest(server.rest_port)
        assert refused(stub.predict, "kinds", {"x": np.float32([1, 2, 3])}, signature="echo_float32") == (
            "INVALID_ARGUMENT",
            "Task size 3 is larger than maximum input batch size 2",
        )
        assert rest.error("kinds", {"signature_name": "total", "instances": [1]}) == (
            400,
            "Batched output tensor has 0 dimensions",
        )
        assert refused(stub.predict, "kinds", {}, signature="constant") == (
            "INVALID_ARGUMENT",
            "Batching Run() must have at least one input tensor",
        )


def start_error(**given):
    with pytest.raises(ServingError) as error, ModelServer.on_free_ports(**given):
        pass
    return error.value.message


def test_parameters_that_cannot_be_end_the_start(base):
    assert start_error(**flags(base, "num_batch_threads { value: 0 }")) == "num_batch_threads must be positive; was 0"
    assert "allowed_batch_sizes must match" in start_error(**flags(base, "allowed_batch_sizes: 5"))
    assert start_error(**flags(base, "max_batch { }")) == f"Invalid protobuf file: '{base.parent / 'batching'}'"


def test_a_per_model_file_that_does_not_parse_fails_the_load(base):
    (base / "1" / PER_MODEL_FILE).write_text("oops {")
    given = flags(base, enable_per_model_batching_parameters=True)
    assert f"Invalid protobuf file: '{base}/1/{PER_MODEL_FILE}'" in start_error(**given)


def test_a_begun_call_gets_into_the_same_batches(make):
    batched = make(max_batch_size=2, batch_timeout_micros=10**9)
    found = batched.signatures["echo_float32"]
    (given,), fetches = (
        [slot.tensor for slot in found.inputs.values()],
        [slot.tensor for slot in found.outputs.values()],
    )
    there = threading.Event()
    take = batched.begin({given: np.float32([[1, 2]])}, fetches, None, there.set)
    assert not there.is_set()
    assert run(batched, **{next(iter(found.inputs)): np.float32([[3, 4]])})[0].tolist() == [[3, 4]]
    assert there.wait(30)
    assert take()[0].tolist() == [[1, 2]]


def test_a_begun_call_has_its_error(make):
    batched = make(max_batch_size=2)
    found = batched.signatures["echo_float32"]
    (given,) = [slot.tensor for slot in found.inputs.values()]
    with pytest.raises(ServingError, match="larger than maximum"):
        batched.begin({given: np.zeros((3, 1), np.float32)}, [], None, lambda: None)
    there = threading.Event()
    take = batched.begin({given: np.zeros((2, 1), np.float32)}, ["nothing:0"], None, there.set)
    assert there.wait(30)
    with pytest.raises(ServingError, match="nothing:0"):
        take()
