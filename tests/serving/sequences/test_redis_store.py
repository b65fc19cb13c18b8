"""The store in Redis: leases and fencing numbers, the hash that others can read, restarts, limits over all servers."""

import re
import threading

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving.clock import SystemClock
from serving.errors import ServingError
from serving.sequences import redis_store
from serving.sequences.opening import open_store
from serving.sequences.patience import NOW, Patience
from serving.sequences.redis_calls import ScriptCall
from serving.sequences.redis_store import RedisStore
from serving.sequences.settings import Settings
from serving.sequences.store import Answer, Change, Key, Record
from tests.serving.asking import wait_until

LAYOUT = (("state_h", "float [-1,2]"), ("state_n", "int64 [-1]"))
KEY = Key("m", 7)
TAKEN_OVER = "ABORTED: Sequence 7 was taken over by another server; repeat the step"


def record(step=0, used=None, **more):
    state = np.float32([step, -step]).tobytes() + np.int64([step]).tobytes()
    return Record(1, step, state, LAYOUT, None, SystemClock().micros() if used is None else used, **more)


@pytest.fixture
def open_redis(request):
    """Opens stores on a Redis, as servers do; renews=False: one whose leases run out, as if it stood still."""
    opened = []

    def open_one(server, lease_seconds=30.0, renews=True, **settings):
        store = RedisStore(server.url, SystemClock(), lambda _: Settings(**settings), lease_seconds)
        if renews:
            store.start()
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.stop()


def put(store, change):
    store.read(change.key)
    return store.write([change])


def test_a_sequence_is_a_hash_whose_tensors_any_client_can_read(redis_server, open_redis):
    store = open_redis(redis_server)
    text = np.empty((1, 1), object)
    text[0, 0] = b"caf\xc3\xa9"
    kept = Answer(3, {"y": np.float32([[1.5]]), "text": text})
    assert put(store, Change(KEY, record(4)._replace(version=2, answer=kept))) == [None]
    put(store, Change(Key("m", "user:42"), record()))
    found = redis_server.client.hgetall("seq:{m}:u:7")
    assert (found[b"version"], found[b"index"], found[b"ended"]) == (b"2", b"4", b"0")
    np.testing.assert_array_equal(_tensor(found[b"state_h"]), np.float32([[4, -4]]))
    np.testing.assert_array_equal(_tensor(found[b"state_n"]), np.int64([4]))
    np.testing.assert_array_equal(_tensor(found[b"answer:y"]), np.float32([[1.5]]))
    assert _tensor(found[b"answer:text"]).tolist() == [["café".encode()]]
    assert redis_server.client.exists("seq:{m}:s:user:42")


def _tensor(content):
    return tf.make_ndarray(tensor_pb2.TensorProto.FromString(content))


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({}, 2 * 300 + 60),
        ({"idle_ttl_seconds": 7}, 7 + 300 + 60),
        ({"idle_ttl_seconds": 7, "cleaner_poll_wait_minutes": 0}, 7),
        ({"idle_sequence_cleanup": False}, None),
    ],
)
def test_redis_forgets_what_no_server_came_to_forget(redis_server, open_redis, settings, seconds):
    store = open_redis(redis_server, **settings)
    put(store, Change(KEY, record()))
    left = redis_server.client.pttl("seq:{m}:u:7")
    assert left == -1 if seconds is None else seconds * 1000 - 20_000 < left <= seconds * 1000
    put(store, Change(KEY, record(1, ended=True)))
    assert 40_000 < redis_server.client.pttl("seq:{m}:u:7") <= 60_000


def test_a_sequence_that_redis_has_forgotten_is_counted_no_more(redis_server, open_redis):
    store = open_redis(redis_server, idle_ttl_seconds=1, cleaner_poll_wait_minutes=0, retain_ended_seconds=1)
    told = []
    store.expired = told.append
    long_ago = SystemClock().micros() - 10_000_000
    for number in (1, 2, 4):
        put(store, Change(Key("m", number), record(used=long_ago, ended=number == 4)))
        redis_server.client.delete(f"seq:{{m}}:u:{number}")  # as when its time is over
    assert store.live("m") == 2
    assert store.read(Key("m", 1)) is None
    assert store.read(Key("m", 1)) is None
    assert told == [Key("m", 1)]
    assert (store.live("m"), store.nbytes("m") > 0) == (1, True)
    store.reserve(Key("m", 3), 1, 1)
    assert (store.live("m"), store.live("m", 1), store.nbytes("m")) == (1, 1, 0)
    assert told == [Key("m", 1), Key("m", 2)]  # what is left of an ended one was no live sequence
    assert not redis_server.client.exists("sequences-ended:{m}")


def test_a_new_sequence_counts_for_as_long_as_a_call_holds_it(redis_server, open_redis):
    one, other = open_redis(redis_server, 0.3), open_redis(redis_server)
    starts = "sequences-starting:{m}"
    one.read(KEY)
    one.reserve(KEY, 1, 1)
    before = redis_server.client.zscore(starts, "u:7")
    redis_server.client.zadd(starts, {"u:7": before - 50_000_000})  # as after 50 s
    wait_until(lambda: redis_server.client.zscore(starts, "u:7") >= before)
    with pytest.raises(ServingError, match="Max sequence number has been reached"):
        other.reserve(Key("m", 8), 1, 1)
    one.unreserve(KEY, 1)
    other.reserve(Key("m", 8), 1, 1)
    assert redis_server.client.zrange(starts, 0, -1) == [b"u:8"]
    sent = one._redis.one(ScriptCall("m", KEY, "renew", (one._leases.token(KEY), 1000, b"u:7", 60_000_000)))
    assert (sent, redis_server.client.zrange(starts, 0, -1)) == (1, [b"u:8"])  # a known one is not counted again


def test_while_one_server_has_a_sequence_another_waits_for_it(redis_server, open_redis):
    one, other = open_redis(redis_server), open_redis(redis_server)
    put(one, Change(KEY, record()))
    one.read(KEY)
    with pytest.raises(ServingError, match="Timed out waiting") as late:
        other.read(KEY, NOW)
    assert late.value.code.name == "DEADLINE_EXCEEDED"
    asked = []
    with pytest.raises(ServingError, match="client has gone"):
        other.read(KEY, Patience(gone=lambda: asked.append(1) or len(asked) > 3))
    found = []
    waiting = threading.Thread(target=lambda: found.append(other.read(KEY).step))
    waiting.start()
    assert one.write([Change(KEY, record(1))]) == [None]
    waiting.join()
    assert found == [1]
    other.release(KEY)
    assert one.read(KEY, NOW).step == 1


def test_a_server_that_stood_still_for_longer_than_its_lease_writes_nothing(redis_server, open_redis):
    still, other = open_redis(redis_server, 0.1, renews=False), open_redis(redis_server)
    put(still, Change(KEY, record()))
    still.read(KEY)
    assert other.read(KEY).step == 0  # waits until the lease has run out
    assert [error.status for error in still.write([Change(KEY, record(1))])] == [TAKEN_OVER]
    still.release(KEY)
    assert other.write([Change(KEY, record(1))]) == [None]
    assert [error.status for error in still.write([Change(KEY, None)])] == [TAKEN_OVER]
    assert other.read(KEY).step == 1


def test_nor_does_it_when_the_other_server_has_forgotten_the_sequence_meanwhile(redis_server, open_redis):
    still, other = open_redis(redis_server, 0.1, renews=False), open_redis(redis_server)
    assert still.read(KEY) is None  # about to start it
    put(other, Change(KEY, record()))
    put(other, Change(KEY, None))
    assert [error.status for error in still.write([Change(KEY, record())])] == [TAKEN_OVER]
    assert other.read(KEY) is None


def test_a_lease_that_ran_out_and_that_nobody_took_still_counts(redis_server, open_redis):
    still = open_redis(redis_server, renews=False)
    still.read(KEY)
    name = "sequence-lease:{m}:u:7"
    redis_server.client.set(name, redis_server.client.get(name).split()[0] + b" 0")  # until 1970
    assert still.write([Change(KEY, record())]) == [None]


def test_a_lease_is_renewed_while_the_call_runs(redis_server, open_redis):
    one, other = open_redis(redis_server, 0.3), open_redis(redis_server)
    one.read(KEY)
    with pytest.raises(ServingError, match="Timed out"):
        other.read(KEY, Patience(SystemClock().micros() + 1_000_000))
    assert one.write([Change(KEY, record())]) == [None]


def test_fencing_numbers_grow(redis_server, open_redis):
    numbers = []
    for store in (open_redis(redis_server), open_redis(redis_server)) * 3:
        store.read(KEY)
        numbers.append(int(redis_server.client.get("sequence-lease:{m}:u:7").split(b":")[0]))
        store.release(KEY)
    assert numbers == sorted(set(numbers))
    assert not redis_server.client.exists("sequence-lease:{m}:u:7")


@pytest.mark.parametrize("after", [record(1), None])
def test_a_write_whose_answer_was_lost_is_made_once(redis_server, open_redis, monkeypatch, after):
    store = open_redis(redis_server)
    put(store, Change(KEY, record()))
    store.read(KEY)
    sent, pipeline = [], store._redis._pipeline

    def lossy(commands):
        sent.append(pipeline(commands))
        if len(sent) == 1:
            raise store._redis._errors.ConnectionError("cut")
        return sent[-1]

    monkeypatch.setattr(store._redis, "_pipeline", lossy)
    assert store.write([Change(KEY, after)]) == [None]
    assert sent == [[1], [1]]
    found = store.read(KEY)
    assert (found and found.step) == (after and after.step)
    assert store.live("m") == (after is not None)


def test_the_most_sequences_are_counted_over_all_servers(redis_server, open_redis, monkeypatch):
    one, other = open_redis(redis_server), open_redis(redis_server)
    put(one, Change(KEY, record()))
    other.reserve(Key("m", 8), 1, 2)
    for store in (one, other):
        with pytest.raises(ServingError, match="Max sequence number has been reached"):
            store.reserve(Key("m", 9), 1, 2)
    monkeypatch.setattr(redis_store, "START_MICROS", 0)
    one.reserve(Key("m", 9), 1, 3)  # as if its server had been lost: it soon counts no more
    one.reserve(Key("m", 10), 1, 3)


def test_redis_is_restarted(own_redis, open_redis):
    store = open_redis(own_redis)
    put(store, Change(KEY, record(3)))
    store.read(KEY)
    own_redis.kill()
    (error,) = store.write([Change(KEY, record(4))])
    assert re.match(r"UNAVAILABLE: Sequence store is not reachable: Error \d+ connecting to 127.0.0.1", error.status)
    for call in (store.models, lambda: store.read(KEY), lambda: store.reserve(Key("m", 1), 1, 9)):
        with pytest.raises(ServingError, match="Sequence store is not reachable"):
            call()
    store.release(KEY)
    own_redis.start()
    assert store.read(KEY).step == 3
    assert store.write([Change(KEY, record(4))]) == [None]
    assert open_redis(own_redis).read(KEY).step == 4


def test_redis_that_comes_later_is_said_in_the_log(own_redis, open_redis, logged):
    own_redis.kill()
    store = open_redis(own_redis)
    assert any("Sequence store is not reachable" in text for text in logged())
    own_redis.start()
    assert store.read(KEY) is None


def test_redis_without_memory_fails_the_step_and_changes_nothing(own_redis, open_redis):
    store = open_redis(own_redis)
    put(store, Change(KEY, record()))
    store.read(KEY)
    own_redis.client.config_set("maxmemory", 1)
    (error,) = store.write([Change(KEY, record(1))])
    assert error.status.startswith("UNAVAILABLE: Sequence store is not reachable: ")
    assert "maxmemory" in error.message
    own_redis.client.config_set("maxmemory", 0)
    store.release(KEY)
    assert store.read(KEY).step == 0
    assert store.live("m") == 1


def test_a_hash_that_is_no_sequence_is_said(redis_server, open_redis):
    redis_server.client.hset("seq:{m}:u:7", "colour", "blue")
    with pytest.raises(ServingError, match="what it has of 7 is no sequence"):
        open_redis(redis_server).read(KEY)


def test_a_password_is_not_logged(shared_redis, logged):
    store = open_store(f"redis://user:secret@127.0.0.1:{shared_redis.port}/0", SystemClock())
    store.start()
    store.stop()
    assert any("redis://***@127.0.0.1" in text for text in logged())
    assert not any("secret" in text for text in logged())
