import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import servable
from serving.batching.ragged_servable import RaggedServable
from serving.clock import SystemClock
from serving.errors import Code, ServingError
from serving.server import ModelServer
from tests.serving import exports
from tests.serving.asking import Grpc, Rest, refused, wait_until
from tests.serving.batching.test_batched import at_once


class Noting(servable.Servable):
    """Runs a servable, notes the rows and steps of each run; runs wait while `go` is not set."""

    def __init__(self, inner):
        self.name, self.version = inner.name, inner.version
        self.signature_defs, self.signatures = inner.signature_defs, inner.signatures
        self.inner = inner
        self.runs = []
        self.go = threading.Event()
        self.go.set()

    def run(self, feeds, fetches, timeout_ms=None):
        self.runs.append(max(array.shape[:2] for array in feeds.values() if array.ndim > 1))
        assert self.go.wait(30)
        return self.inner.run(feeds, fetches, timeout_ms)

    def check_dtypes(self, feeds):
        self.inner.check_dtypes(feeds)


@pytest.fixture(scope="module")
def plain(written):
    found = servable.load("ragged", 1, str(written["ragged"]))
    yield found
    found.close()


@pytest.fixture
def noting(plain):
    return Noting(plain)


@pytest.fixture
def ragged(noting):
    return RaggedServable(noting, SystemClock())


def run(loaded, signature="serving_default", timeout_ms=None, **inputs):
    found = loaded.signatures[signature]
    feeds = {slot.tensor: inputs[alias] for alias, slot in found.inputs.items() if alias in inputs}
    values = loaded.run(feeds, [slot.tensor for slot in found.outputs.values()], timeout_ms)
    return dict(zip(found.outputs, values, strict=True))


def x(rows, time, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, time, 3)).astype(np.float32)


def joined(ragged, noting, calls, signature="serving_default"):
    """The calls' results; the first one holds the others up, so that they are joined."""
    noting.go.clear()
    first = threading.Thread(target=lambda: run(ragged, signature, x=x(1, 1)))
    first.start()
    wait_until(lambda: noting.runs)
    lanes = ragged._gathering._lanes

    def waiting():
        return sum(len(lane.waiting) for lane in lanes.values())

    def let_go():
        wait_until(lambda: waiting() == len(calls))
        noting.go.set()

    releasing = threading.Thread(target=let_go)
    releasing.start()
    results = at_once(*calls)
    first.join(30)
    releasing.join(30)
    return results


def same(found, expected):
    assert found.keys() == expected.keys()
    for alias, array in expected.items():
        assert found[alias].dtype == array.dtype
        if array.dtype == object or array.dtype == bool:
            assert np.array_equal(found[alias], array)
        else:
            assert found[alias].shape == array.shape
            assert np.allclose(found[alias], array, atol=1e-6)


request = st.tuples(st.integers(1, 3), st.integers(1, 7)).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.none() | st.lists(st.integers(0, size[1]), min_size=size[0], max_size=size[0]),
    )
)


@settings(max_examples=15, deadline=None)
@given(st.lists(request, min_size=2, max_size=6))
def test_joined_requests_get_what_they_get_one_by_one(plain, requests):
    noting = Noting(plain)
    ragged = RaggedServable(noting, SystemClock())
    inputs = []
    for seed, ((rows, time), lengths) in enumerate(requests):
        inputs.append({"x": x(rows, time, seed)})
        if lengths is not None:
            inputs[-1]["lengths"] = np.array(lengths, np.int32)
    results = joined(ragged, noting, [lambda found=found: run(ragged, **found) for found in inputs])
    rows, times = sum(size[0] for size, _ in requests), [size[1] for size, _ in requests]
    assert noting.runs == [(1, 1), (rows, max(times))]
    for found, result in zip(inputs, results, strict=True):
        lengths = found.get("lengths", np.full(found["x"].shape[0], found["x"].shape[1], np.int32))
        same(result, run(plain, x=found["x"], lengths=lengths))


def test_a_bad_request_harms_only_itself(ragged, noting, plain):
    good = x(1, 4)
    bad, fine = joined(
        ragged, noting, [lambda: run(ragged, x=np.full((1, 2, 3), 101, np.float32)), lambda: run(ragged, x=good)]
    )
    assert bad.code is Code.INVALID_ARGUMENT
    assert "x is above 100" in bad.message
    same(fine, run(plain, x=good, lengths=np.int32([4])))


def test_a_wrong_dtype_and_lengths_beyond_the_time_are_not_joined(ragged, noting, plain):
    with pytest.raises(ServingError, match="to be float but double is provided"):
        run(ragged, x=x(1, 2).astype(np.float64))
    beyond = np.int32([9])
    same(run(ragged, x=x(1, 2), lengths=beyond), run(plain, x=x(1, 2), lengths=beyond))


def test_signatures_without_lengths_run_as_before(ragged, noting, plain):
    assert ragged.signatures["bare"].may_omit == set()
    same(run(ragged, "bare", x=x(2, 3)), run(plain, "bare", x=x(2, 3)))


def test_outputs_that_cannot_be_cut_end_the_joining(noting, plain, logged):
    ragged = RaggedServable(noting, SystemClock())
    calls = [lambda t=time: run(ragged, "halved", x=x(1, t, t)) for time in (2, 5)]
    results = joined(ragged, noting, calls, "halved")
    for time, result in zip((2, 5), results, strict=True):
        same(result, run(plain, "halved", x=x(1, time, time), lengths=np.int32([time])))
    assert len([text for text in logged() if "calls are not joined any more: output" in text]) == 1
    assert all(not found.joins for found in ragged._layouts.values() if "halved_x:0" in found.inputs)
    assert all(found.joins for found in ragged._layouts.values() if "halved_x:0" not in found.inputs)


def test_grpc_takes_a_request_without_lengths(ask):
    found = ask.predict("ragged", {"x": x(2, 3)})
    assert found["valid"].tolist() == [[True] * 3] * 2
    same(found, ask.predict("ragged", {"x": x(2, 3), "lengths": np.int32([3, 3])}))


def test_grpc_still_reports_what_is_missing(ask):
    call = ask.predict, "ragged", {"lengths": np.int32([3])}
    assert refused(*call)[1].endswith("Sent extra: {}. Missing but required: {x}.")


@pytest.mark.parametrize("lengths", [None, [1, 2]])
def test_rest_takes_rows_and_columns_with_and_without_lengths(rest, lengths):
    values = x(2, 2).tolist()
    rows = [{"x": row} for row in values]
    columns = {"x": values}
    if lengths is not None:
        rows = [{**row, "lengths": length} for row, length in zip(rows, lengths, strict=True)]
        columns["lengths"] = lengths
    by_row = rest.predict("ragged", {"instances": rows}).json()["predictions"]
    by_column = rest.predict("ragged", {"inputs": columns}).json()["outputs"]
    assert by_column["valid"] == [row["valid"] for row in by_row]
    assert by_column["valid"] == ([[True, True]] * 2 if lengths is None else [[True, False], [True, True]])


def test_rest_takes_bare_values_where_only_lengths_are_beside_them(rest):
    values = x(1, 2).tolist()
    assert rest.predict("ragged", {"instances": values}).json()["predictions"][0]["valid"] == [True, True]
    assert rest.predict("ragged", {"inputs": values}).json()["outputs"]["valid"] == [[True, True]]


def test_rest_rows_have_lengths_all_or_none(rest):
    values = x(2, 2).tolist()
    status, text = rest.error("ragged", {"instances": [{"x": values[0], "lengths": 1}, {"x": values[1]}]})
    assert status == 400
    assert "keys must be equal to: lengths,x" in text


def test_both_faces_are_joined_and_answered_right(server, ask, rest):
    inputs = [x(1, 1 + n % 5, n) for n in range(24)]
    alone = [ask.predict("ragged", {"x": found})["h"] for found in inputs]

    def over(n):
        if n % 2:
            return ask.predict("ragged", {"x": inputs[n]})["h"]
        return np.float32(rest.predict("ragged", {"inputs": {"x": inputs[n].tolist()}}).json()["outputs"]["h"])

    for found, expected in zip(at_once(*(lambda n=n: over(n) for n in range(24))), alone, strict=True):
        assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("flags", [{"enable_batching": True}, {"enable_ragged_batching": False}])
def test_batching_as_in_the_stock_server_and_the_flag_turn_it_off(written, tmp_path, flags):
    exports.copy(written["ragged"], tmp_path / "1")
    with ModelServer.on_free_ports(model_name="ragged", model_base_path=str(tmp_path), **flags) as server:
        code, text = refused(Grpc(f"localhost:{server.grpc_port}").predict, "ragged", {"x": x(1, 2)})
        assert (code, text) == (
            "INVALID_ARGUMENT",
            "input size does not match signature: 1!=2 len({x}) != len({lengths,x}). Sent extra: {}. "
            "Missing but required: {lengths}.",
        )
        status, text = Rest(server.rest_port).error("ragged", {"inputs": {"x": x(1, 2).tolist()}})
        assert (status, text) == (400, "Missing named input: lengths in 'inputs' object.")


def test_begun_calls_are_joined_and_answered_as_waiting_ones_are(noting):
    def begin(**inputs):
        there = threading.Event()
        signature = ragged.signatures["unchecked"]
        feeds = {slot.tensor: inputs[alias] for alias, slot in signature.inputs.items() if alias in inputs}
        fetches = [slot.tensor for slot in signature.outputs.values()]
        return ragged.begin(feeds, fetches, None, there.set), there

    rng = np.random.default_rng(2)
    data = [rng.normal(size=(1, steps, 3)).astype(np.float32) for steps in (4, 2, 3)]
    expected = [list(run(RaggedServable(noting, SystemClock()), "unchecked", x=x).values()) for x in data]
    noting.runs.clear()
    with ThreadPoolExecutor(2) as executor:
        ragged = RaggedServable(noting, SystemClock(), executor)
        assert ragged.begins
        noting.go.clear()
        begun = [begin(x=data[0])]
        wait_until(lambda: noting.runs)
        begun += [begin(x=x) for x in data[1:]]
        begun.append(begin(x=data[0][:0], lengths=np.zeros(0, np.int32)))  # without rows: alone
        noting.go.set()
        assert all(there.wait(30) for _, there in begun)
    for (take, _), outputs in zip(begun, expected, strict=False):
        for found, other in zip(take(), outputs, strict=True):
            assert found.shape == other.shape
            assert np.allclose(found, other, atol=1e-6)
    assert begun[3][0]()[0].shape[0] == 0
    assert (2, 3) in noting.runs


def test_without_threads_to_run_on_nothing_is_begun(ragged):
    assert not ragged.begins
    with pytest.raises(NotImplementedError):
        ragged.begin({}, [], None, lambda: None)
