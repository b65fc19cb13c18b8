import gc
import threading
import weakref
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
import requests
import tensorflow as tf

from serving import one_by_one, servable
from serving.compiling import servable as compiled
from serving.compiling.servable import CALLS_BEFORE, CompiledServable
from serving.errors import Code, ServingError
from serving.server import ModelServer
from tests.serving import exports
from tests.serving.asking import Grpc, wait_until


class Sequence(tf.Module):
    """A recurrence of many small steps, which compiling makes several times as fast."""

    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(0.2 * tf.random.stateless_normal([8, 8], [1, 2]))  # tame: rounding stays small

    @tf.function(input_signature=[tf.TensorSpec([None, None, 8], tf.float32, name="x")])
    def __call__(self, x):
        steps = tf.transpose(x, [1, 0, 2])

        def step(time, h):
            return time + 1, tf.tanh(tf.matmul(h, self.weight) + steps[time])

        return {"h": tf.while_loop(lambda time, h: time < tf.shape(steps)[0], step, [0, tf.zeros_like(x[:, 0])])[1]}


class Now:
    """An executor that does what it is given at once."""

    def submit(self, function, *args):
        done = Future()
        done.set_result(function(*args))
        return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    module = Sequence()
    path = tmp_path_factory.mktemp("sequence") / "1"
    tf.saved_model.save(module, str(path), signatures=module.__call__.get_concrete_function())
    return path


@pytest.fixture
def make(written):
    """A compiled servable of a folder."""
    made = []

    def load(path):
        inner = servable.load("m", 1, str(path))
        made.append(CompiledServable(inner, Now()))
        return made[-1]

    yield load
    for loaded in made:
        loaded.close()


def run(loaded, signature="serving_default", **inputs):
    found = loaded.signatures[signature]
    feeds = {found.inputs[alias].tensor: np.asarray(value) for alias, value in inputs.items()}
    return loaded.run(feeds, [slot.tensor for slot in found.outputs.values()])


def x(batch, steps):
    return np.random.default_rng(0).normal(size=(batch, steps, 8)).astype(np.float32)


def test_a_shape_asked_for_often_is_compiled_and_answers_as_before(make, folder):
    loaded = make(folder)
    expected = run(loaded, x=x(2, 64))[0]
    for _ in range(CALLS_BEFORE - 2):
        run(loaded, x=x(2, 64))
    assert loaded._forms == {}
    run(loaded, x=x(2, 64))
    assert len(loaded._forms) == 1
    assert np.allclose(run(loaded, x=x(2, 64))[0], expected, atol=1e-6)
    assert run(loaded, x=x(3, 64))[0].shape == (3, 8)
    assert len(loaded._forms) == 1


def test_what_was_compiled_goes_with_the_version(folder):
    loaded = CompiledServable(servable.load("m", 1, str(folder)), Now())
    for _ in range(CALLS_BEFORE + 1):
        run(loaded, x=x(2, 64))
    assert len(loaded._forms) == 1
    graph = weakref.ref(loaded._inner._session.graph)
    loaded.close()
    del loaded
    gc.collect()
    assert graph() is None


def test_a_form_that_is_no_faster_is_not_used(make, folder, monkeypatch):
    monkeypatch.setattr(compiled, "GAIN", 0.0)
    loaded = make(folder)
    for _ in range(CALLS_BEFORE + 1):
        run(loaded, x=x(2, 64))
    assert loaded._forms == {}


def test_a_form_that_gives_other_numbers_is_not_used(make, folder, monkeypatch, logged):
    monkeypatch.setattr(compiled, "_same", lambda one, other: False)
    loaded = make(folder)
    for _ in range(CALLS_BEFORE + 1):
        run(loaded, x=x(2, 64))
    assert loaded._forms == {}
    assert any("gives other numbers" in text for text in logged())


def test_numbers_are_the_same_to_rounding_and_whole_ones_exactly():
    one = np.float32([1, np.nan, np.inf])
    assert compiled._same(one, one + np.float32(1e-6))
    assert not compiled._same(one, one + np.float32(1e-2))
    assert not compiled._same(one, one[:2])
    assert not compiled._same(np.int64([1]), np.int64([2]))
    assert not compiled._same(np.int64([1]), np.int32([1]))


def test_the_number_of_shapes_is_bounded(make, folder, monkeypatch):
    monkeypatch.setattr(compiled, "MOST_SHAPES", 2)
    loaded = make(folder)
    for steps in (16, 24, 32):
        for _ in range(CALLS_BEFORE):
            run(loaded, x=x(1, steps))
    assert len(loaded._calls) == 2
    assert len(loaded._forms) <= 2


def test_a_signature_that_cannot_be_compiled_runs_plainly_and_says_so_once(make, written, logged):
    loaded = make(written["kinds"])
    for text in ("a", "b"):
        for _ in range(CALLS_BEFORE + 1):
            assert run(loaded, "text", s=np.array([text.encode()] * (1 + (text == "b")), object))
    assert len([text for text in logged() if text.startswith("Signature text of m is not compiled: ")]) == 1


def test_state_that_a_call_changes_stays_changed(make, written, monkeypatch):
    monkeypatch.setattr(compiled, "WORTH_SECONDS", 0.0)
    loaded = make(written["kinds"])
    found = [int(run(loaded, "count", by=np.int64(1))[0]) for _ in range(3 * CALLS_BEFORE)]
    assert found == list(range(1, 3 * CALLS_BEFORE + 1))


def test_shapes_that_are_not_the_declared_ones_still_run(make, written):
    loaded = make(written["scale"])
    for _ in range(CALLS_BEFORE + 2):
        assert run(loaded, x=np.float32([1, 2, 3]))[0].tolist() == [2, 4, 6]


def test_errors_stay_errors(make, written):
    loaded = make(written["kinds"])
    for _ in range(CALLS_BEFORE + 2):
        with pytest.raises(ServingError):
            run(loaded, "matrix", x=np.zeros((1, 4), np.float32))
        with pytest.raises(ServingError, match="to be float but int32 is provided"):
            run(loaded, "matrix", x=np.zeros((1, 3), np.int32))


def test_a_form_that_fails_leaves_the_call_to_the_plain_path(make, folder):
    loaded = make(folder)
    for _ in range(CALLS_BEFORE):
        run(loaded, x=x(2, 64))
    (key,) = loaded._forms

    class Failing:
        def run(self, feeds, fetches, timeout_ms):
            raise ServingError("no memory", Code.RESOURCE_EXHAUSTED)

    loaded._forms[key] = replace(loaded._forms[key], inner=Failing())
    assert run(loaded, x=x(2, 64))[0].shape == (2, 8)
    assert loaded._forms == {}


@pytest.mark.parametrize("signature", ["unchecked", "bare"])
def test_ragged_calls_share_padded_forms_and_answer_as_before(make, written, signature):
    loaded = make(written["ragged"])
    rng = np.random.default_rng(1)
    for rows, steps in ((1, 30), (3, 31), (4, 29), (4, 32), (3, 31), (1, 31), (1, 29), (4, 31)):
        inputs = {"x": rng.normal(size=(rows, steps, 3)).astype(np.float32)}
        if signature == "unchecked":
            inputs["lengths"] = rng.integers(0, steps + 1, rows).astype(np.int32)
        found, expected = run(loaded, signature, **inputs), run(loaded._inner, signature, **inputs)
        for one, other in zip(found, expected, strict=True):
            assert one.shape == other.shape
            assert np.allclose(one, other, atol=1e-5)
    sizes = {form.size for form in loaded._forms.values()}
    assert sizes == ({(1, 32), (4, 32)} if signature == "unchecked" else set())


def test_a_signature_that_writes_variables_is_not_compiled(make, written, logged, monkeypatch):
    monkeypatch.setattr(compiled, "WORTH_SECONDS", 0.0)
    loaded = make(written["kinds"])
    for _ in range(CALLS_BEFORE):
        run(loaded, "count", by=np.int64(1))
    assert any("AssignAddVariableOp" in text for text in logged())


def test_a_run_that_is_little_more_than_its_call_is_not_compiled(make, folder, monkeypatch, logged):
    monkeypatch.setattr(compiled, "WORTH_SECONDS", 60.0)
    loaded = make(folder)
    for _ in range(CALLS_BEFORE + 1):
        run(loaded, x=x(2, 64))
    assert loaded._forms == {}
    assert loaded._rewritten == {}  # nor looked at
    assert any("mostly the call itself" in text for text in logged())


def test_a_run_that_takes_longer_than_a_trial_may_stays_plain(make, folder, monkeypatch, logged):
    monkeypatch.setattr(compiled, "TRIAL_MS", 20)
    loaded = make(folder)
    answers = [run(loaded, x=x(1, 30_000)) for _ in range(CALLS_BEFORE + 1)]
    assert not loaded._forms
    (text,) = [text for text in logged() if "is not compiled" in text]
    assert "Timed out" in text
    np.testing.assert_array_equal(answers[0], answers[-1])


def test_no_more_shapes_are_compiled_in_the_life_of_a_version_than_the_runtime_may_keep(make, folder, monkeypatch):
    monkeypatch.setattr(compiled, "MOST_COMPILED", 1)
    loaded = make(folder)
    for steps in (32, 48, 32):
        for _ in range(CALLS_BEFORE):
            run(loaded, x=x(1, steps))
    assert [key[0][0][1] for key in loaded._forms] == [(1, 32, 8)]


def test_a_server_compiles_aside_while_it_answers(folder, tmp_path):
    exports.copy(folder, tmp_path / "1")
    flags = {"model_name": "m", "model_base_path": str(tmp_path), "compile_signatures": True}
    with ModelServer.on_free_ports(**flags) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        with server.manager.use("m") as loaded:
            pass
        expected = stub.predict("m", {"x": x(2, 64)})["h"]
        wait_until(lambda: stub.predict("m", {"x": x(2, 64)}) and loaded._forms)
        assert np.allclose(stub.predict("m", {"x": x(2, 64)})["h"], expected, atol=1e-6)


@pytest.mark.parametrize("more", [{"enable_batching": True}, {}])
def test_a_lone_call_that_is_brief_runs_on_the_event_loop_of_its_face(written, tmp_path, monkeypatch, more):
    monkeypatch.setattr(one_by_one, "APART", 0)
    monkeypatch.setattr(compiled, "BRIEF_SECONDS", 60.0)
    monkeypatch.setattr(compiled, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(compiled, "GAIN", float("inf"))
    exports.copy(written["ragged"], tmp_path / "1")
    (tmp_path / "batching.txt").write_text("batch_timeout_micros { value: 0 }")
    if more:
        more = {**more, "batching_parameters_file": str(tmp_path / "batching.txt")}
    inputs = {"x": np.ones((1, 4, 3), np.float32), "lengths": np.int32([4])}
    with ModelServer.on_free_ports(model_name="m", model_base_path=str(tmp_path), **more) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        with server.manager.use("m") as loaded:
            inner = loaded.unbatched
        expected = stub.predict("m", inputs, signature="unchecked")
        wait_until(lambda: stub.predict("m", inputs, signature="unchecked") and inner._forms)
        threads, run_form = [], compiled.Form.run

        def noted(form, feeds, timeout_ms=None):
            threads.append(threading.current_thread().name)
            return run_form(form, feeds, timeout_ms)

        monkeypatch.setattr(compiled.Form, "run", noted)
        found = stub.predict("m", inputs, signature="unchecked")
        requests.post(
            f"http://localhost:{server.rest_port}/v1/models/m:predict",
            json={"signature_name": "unchecked", "inputs": {name: array.tolist() for name, array in inputs.items()}},
            timeout=60,
        ).raise_for_status()
    assert all(np.allclose(found[name], expected[name], atol=1e-5) for name in expected)
    assert len(threads) == 2
    assert not any(name.startswith("batch") for name in threads), threads
