import re
import sys

import pytest

from serving.clock import SystemClock
from serving.errors import ServingError
from serving.sequences.opening import open_store


@pytest.mark.parametrize(
    "text", ["", "disk", "Memory", "files:/tmp", "file:", "file:?sync=always", "file:x?sync=never"]
)
def test_a_store_that_is_none_is_refused(text):
    with pytest.raises(ServingError, match=re.escape(f"sequence_store is {text!r}") + "; expected memory, file:DIR"):
        open_store(text, SystemClock())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("redis://localhost:port/0", "sequence_store is 'redis://localhost:port/0', which is no URL of Redis: "),
        ("redis://me:secret@localhost:port/0", "sequence_store is 'redis://***@localhost:port/0', which is no URL"),
        ("redis://localhost/0?lease_seconds=soon", "lease_seconds is 'soon'; expected seconds, from 0.1 to 3600."),
        ("redis://localhost/0?lease_seconds=0", "lease_seconds is '0'; expected seconds"),
    ],
)
def test_a_redis_url_that_is_none_is_refused_without_its_password(text, message):
    with pytest.raises(ServingError, match=re.escape(message)) as refused:
        open_store(text, SystemClock())
    assert "secret" not in refused.value.message


def test_a_redis_store_without_the_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ServingError, match=re.escape("pip install 'seqzoo[redis]'")):
        open_store("redis://localhost/0", SystemClock())
