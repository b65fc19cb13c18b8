"""A signature whose recurrence is as long as a text has words."""

import numpy as np
import pytest
import tensorflow as tf

from serving import servable
from serving.compiling import guarded as module
from serving.compiling import servable as compiled
from serving.compiling.guarded import CALLS_BEFORE, Guarded, Row
from serving.compiling.servable import CompiledServable
from serving.errors import ServingError
from serving.server import ModelServer
from tests.serving.asking import Grpc, wait_until
from tests.serving.compiling.test_servable import Now


class Words(tf.Module):
    """How a recurrence ends over the words of each text, which are numbers."""

    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(0.2 * tf.random.stateless_normal([8, 8], [1, 2]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def __call__(self, text):
        numbers = tf.strings.to_number(tf.strings.split(text).to_tensor("0"))
        tf.debugging.assert_less(numbers, 9.0, "a word got 9")
        steps = tf.transpose(numbers)[..., None] * tf.ones([8])
        start = tf.zeros_like(steps[0])
        return {"h": tf.foldl(lambda h, now: tf.tanh(h @ self.weight + now), steps, start), "text": text}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    words = Words()
    path = tmp_path_factory.mktemp("words") / "words" / "1"
    tf.saved_model.save(words, str(path), signatures=words.__call__.get_concrete_function())
    return path


@pytest.fixture
def both(folder, monkeypatch):
    """The plain path, and the compiled one over it."""
    monkeypatch.setattr(compiled, "GAIN", 1e9)
    monkeypatch.setattr(compiled, "WORTH_SECONDS", 0.0)
    plain = servable.load("m", 1, str(folder))
    loaded = CompiledServable(plain, Now())
    yield plain, loaded
    loaded.close()


def run(loaded, *text):
    found = loaded.signatures["serving_default"]
    feeds = {found.inputs["text"].tensor: np.array([one.encode() for one in text], object)}
    return loaded.run(feeds, [slot.tensor for slot in found.outputs.values()])


def known(loaded):
    return [len(rows) for guarded in loaded._guarded.values() for rows in guarded._known]


def test_what_is_often_asked_for_is_compiled_by_its_number_of_words(both):
    plain, loaded = both
    for _ in range(CALLS_BEFORE):
        run(loaded, "1 2 3")
    assert known(loaded) == [0]
    for _ in range(CALLS_BEFORE):
        assert known(loaded) == [0]
        run(loaded, "4 5 6")
    assert known(loaded) == [1]
    for text in (["3 2 1"], ["1 2"], ["1", "2 3 4"], ["1 2 3 4 5"]):
        (h, given), (expected, _) = run(loaded, *text), run(plain, *text)
        assert np.allclose(h, expected, atol=1e-6)
        assert [one.decode() for one in given] == text
    assert known(loaded) == [1]


def test_a_wrong_request_is_told_as_before_and_changes_nothing(both):
    plain, loaded = both
    for _ in range(2 * CALLS_BEFORE):
        run(loaded, "1 2 3")
    for text in ("1 2 9", "1 2 x", "9"):
        told = []
        for path in (plain, loaded):
            with pytest.raises(ServingError) as caught:
                run(path, text)
            told.append((caught.value.code, caught.value.message))
        assert told[0] == told[1]
    assert known(loaded) == [1]


def test_a_form_that_fails_leaves_its_calls_to_the_plain_path(both, logged):
    plain, loaded = both
    for _ in range(2 * CALLS_BEFORE):
        run(loaded, "1 2 3")
    (guarded,) = loaded._guarded.values()
    guarded._fetches = ["not there:0"]
    assert np.allclose(run(loaded, "1 2 3")[0], run(plain, "1 2 3")[0])
    assert loaded._guarded == {}
    assert any("the plain path goes on" in text for text in logged())


def test_shapes_that_gain_nothing_are_not_kept_and_at_last_not_tried(both, monkeypatch):
    _, loaded = both
    monkeypatch.setattr(compiled, "GAIN", 0.0)
    monkeypatch.setattr(compiled, "TRIALS", 2)
    for text in ("1", "1 2"):
        for _ in range(CALLS_BEFORE + 3):
            run(loaded, text)
    assert loaded._guarded == {}
    assert list(loaded._rewritten.values()) == [None]


def test_the_least_used_shapes_go(folder, monkeypatch):
    monkeypatch.setattr(module, "MOST_SHAPES", 2)
    inner = servable.load("m", 1, str(folder))
    found = inner.signatures["serving_default"]
    inputs, outputs = ([slot.tensor for slot in slots.values()] for slots in (found.inputs, found.outputs))
    guarded = Guarded(inner, inner.compiled(inputs, outputs))
    feeds = [{inputs[0]: np.array([" ".join("1" * count).encode()], object)} for count in (1, 2, 3)]
    rows = [guarded.shapes(one)[0] for one in feeds]
    assert len({row.shapes for row in rows}) == 3
    for row in rows[:2]:
        guarded.know(row)
    guarded.run(feeds[0], None)  # now the second is the one that was used longest ago
    guarded.know(rows[2])
    assert [*guarded._known[0]] == [rows[0], rows[2]]
    assert guarded.knows == 2
    assert guarded._tables[0].tolist() == [list(rows[0].shapes), list(rows[2].shapes)]
    assert Row(0, rows[1].shapes) == rows[1]
    inner.close()


def test_a_server_compiles_by_itself(folder):
    with ModelServer.on_free_ports(model_name="words", model_base_path=str(folder.parent)) as server:
        stub = Grpc(f"localhost:{server.grpc_port}")
        text = " ".join(["1 2 3 4 5 6 7 8"] * 16)
        expected = stub.predict("words", {"text": np.array([text], object)})["h"]
        with server.manager.use("words") as loaded:
            pass
        wait_until(lambda: [stub.predict("words", {"text": np.array([text], object)}), known(loaded)][1] == [1])
        assert np.allclose(stub.predict("words", {"text": np.array([text], object)})["h"], expected, atol=1e-5)
