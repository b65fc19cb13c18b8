"""What every store must do."""

import numpy as np
import pytest

from serving.clock import SystemClock
from serving.errors import ServingError
from serving.sequences.opening import open_store
from serving.sequences.store import Answer, Change, Key, Record

LAYOUT = (("state_h", "float [-1,2]"), ("state_n", "int64 [-1]"))
LARGE = (("state_h", "float [-1,5,500]"),)
A, B, TEXT, OTHER = Key("m", 7), Key("m", 8), Key("m", "7"), Key("n", 7)


def record(step=0, version=1, used=0, answer=None, ended=False, layout=LAYOUT, state=bytes(range(16))):
    return Record(version, step, state, layout, answer, used, ended)


def put(store, *changes):
    """As a call does it: what is written was read before."""
    for change in changes:
        store.read(change.key)
    assert store.write(changes) == [None] * len(changes)


def answer():
    text = np.empty((1, 2), object)
    text[:] = [[b"caf\xc3\xa9", b"\x00\xff"]]
    return Answer(3, {"y": np.float32([[1.5, -0.0, np.inf]]), "text": text, "b": np.array([True])})


@pytest.fixture(params=["memory", "file:{}/s", "file:{}/s?sync=always", "redis"])
def store(request, tmp_path):
    name = request.param.format(tmp_path)
    if name == "redis":
        name = request.getfixturevalue("redis_server").url
    opened = open_store(name, SystemClock())
    opened.start()
    yield opened
    opened.stop()


def test_what_is_written_is_read_bit_by_bit(store):
    written = record(4, 2, answer=answer())
    assert store.read(A) is None
    put(store, Change(A, written))
    found = store.read(A)
    assert found._replace(answer=None, used_micros=0) == written._replace(answer=None, used_micros=0)
    assert found.answer.version == 3
    for alias, array in written.answer.outputs.items():
        assert found.answer.outputs[alias].dtype == array.dtype
        assert found.answer.outputs[alias].shape == array.shape
        assert found.answer.outputs[alias].tolist() == array.tolist()


def test_why_a_sequence_cannot_go_on_is_kept_until_it_is_written_anew(store):
    put(store, Change(A, record(answer=answer())._replace(gone="state h is absent in version 2")))
    found = store.read(A)
    assert (found.gone, found.step, found.answer.version) == ("state h is absent in version 2", 0, 3)
    assert store.write([Change(A, record(1))]) == [None]
    assert store.read(A).gone == ""


def test_a_number_a_text_and_another_model_are_other_sequences(store):
    for step, key in enumerate((A, TEXT, OTHER)):
        put(store, Change(key, record(step)))
    for step, key in enumerate((A, TEXT, OTHER)):
        assert store.read(key).step == step
        store.release(key)
    put(store, Change(A, None))
    assert (store.read(A), store.read(TEXT).step) == (None, 1)


def test_sequences_are_counted_by_model_and_version(store):
    put(store, Change(A, record(version=1)), Change(B, record(version=2)), Change(OTHER, record()))
    assert (store.live("m"), store.live("m", 1), store.live("m", 2), store.live("m", 3)) == (2, 1, 1, 0)
    put(store, Change(A, record(1, version=2)))
    assert (store.live("m", 1), store.live("m", 2)) == (0, 2)
    put(store, Change(B, record(version=2, ended=True)))
    assert store.live("m") == 1
    assert store.read(B).ended
    put(store, Change(B, None))
    assert store.live("nobody") == 0
    store.reserve(A, 1, 100)
    store.reserve(OTHER, 1, 100)
    assert set(store.models()) == {"m", "n"}


def test_a_start_is_counted_before_it_is_written(store):
    put(store, Change(A, record()))
    store.reserve(B, 2, 2)
    assert (store.live("m"), store.live("m", 2)) == (2, 1)
    with pytest.raises(ServingError, match="Max sequence number has been reached"):
        store.reserve(TEXT, 2, 2)
    store.unreserve(B, 2)
    assert (store.live("m"), store.live("m", 2)) == (1, 0)
    store.reserve(B, 2, 2)
    put(store, Change(B, record(version=2)))
    store.unreserve(B, 2)
    assert (store.live("m"), store.live("m", 2)) == (2, 1)


def test_bytes_grow_with_states_and_answers_and_go_with_them(store):
    put(store, Change(A, record()))
    store.reserve(A, 1, 10)
    small = store.nbytes()
    put(store, Change(A, record(1, layout=LARGE, state=bytes(10_000))))
    assert store.nbytes() >= small + 9_000
    put(store, Change(A, record(2, answer=Answer(1, {"y": np.zeros((1, 5000), np.float32)}))))
    assert store.nbytes("m") >= small + 20_000
    put(store, Change(A, None))
    assert store.nbytes() == 0


def test_the_unused_are_found_in_the_order_of_their_last_use(store):
    now = SystemClock().micros()
    for at, key in ((now - 90_000_000, A), (now - 60_000_000, TEXT), (now - 30_000_000, B)):
        put(store, Change(key, record(used=at)))
    assert store.unused_since("m", now - 45_000_000) == [A, TEXT]
    put(store, Change(A, record(1, used=now)))
    assert store.unused_since("m", now - 10_000_000) == [TEXT, B]
    assert store.unused_since("m", now - 10_000_000, ended=True) == []
    put(store, Change(TEXT, record(1, used=now - 20_000_000, ended=True)))
    assert store.unused_since("m", now - 10_000_000, ended=True) == [TEXT]
    assert store.unused_since("nobody", now) == []
