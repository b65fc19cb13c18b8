"""Streams and the store of the sequences that they run on."""

import pytest

from tests.serving.sequences.redis_server import WHY_NOT, RedisServer, redis_program
from tests.serving.streams.asking import events_of

BEFORE, AFTER = {"prompt": "ab", "seed": 3, "max_tokens": 6, "keep": True}, {"prompt": "c", "seed": 4, "max_tokens": 6}


@pytest.fixture
def redis(tmp_path):
    if redis_program() is None:
        pytest.skip(WHY_NOT)
    server = RedisServer(tmp_path / "redis")
    yield server
    server.stop()


def test_a_stream_goes_on_at_another_server_of_the_same_redis(serve, redis, text):
    serve.put("dreamer", 1)
    one, other = serve(sequence_store=redis.url), serve(sequence_store=redis.url)
    *tokens, last = one.text.events("m", **BEFORE)
    assert "sequence_id" in last
    later = other.text.text("m", sequence_id=last["sequence_id"], **AFTER)
    assert other.text.error("m", sequence_id=last["sequence_id"], **AFTER)[0] == 404
    *expected, last = text.events("dreamer", **BEFORE)
    assert [token["text"] for token in tokens] == [token["text"] for token in expected]
    assert later == text.text("dreamer", sequence_id=last["sequence_id"], **AFTER)


def test_a_running_stream_counts_towards_the_memory_limit(serve, gate):
    serve.put("endless", 1)
    server = serve(sequence_memory_limit_bytes=1)
    events = events_of(server.text.post("m", prompt="a", max_tokens=3))
    next(events)
    refused = server.text.error("m", prompt="a")
    assert refused == (503, "Sequence memory limit of 1 bytes has been reached. Could not create new sequence.")
    gate.open()
    assert list(events)[-1]["done"]
    assert server.text.text("m", prompt="a", max_tokens=3)
