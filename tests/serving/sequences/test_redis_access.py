"""A Redis that asks for a password, and one that speaks TLS."""

import numpy as np
import pytest

from serving.clock import SystemClock
from serving.errors import ServingError
from serving.sequences.opening import open_store
from serving.sequences.store import Key
from tests.serving.asking import refused
from tests.serving.certificates import Certificate
from tests.serving.sequences.driving import sums
from tests.serving.sequences.models import chunk
from tests.serving.sequences.redis_server import WHY_NOT, RedisServer, free_port, redis_program

pytestmark = pytest.mark.skipif(redis_program() is None, reason=WHY_NOT)
a, b = chunk(1, 2)


@pytest.fixture
def start(tmp_path):
    """Starts a Redis with the password `all`, and a user `me` whose password is `secret`."""
    started = []

    def start(*arguments):
        server = RedisServer(tmp_path / "redis", "--requirepass", "all", *arguments, password="all")
        started.append(server)
        server.client.execute_command("ACL", "SETUSER", "me", "on", ">secret", "~*", "+@all")
        return server

    yield start
    for server in started:
        server.stop()


def test_sequences_are_kept_behind_a_password_and_a_user(start, repository, serve):
    port = start().port
    repository("running", 1)
    one, other = (serve(sequence_store=f"redis://{who}@127.0.0.1:{port}/0").step for who in ("me:secret", ":all"))
    one.start(a, 1)
    np.testing.assert_array_equal(other(b, 1)["y"], sums(a, b))
    wrong = serve(sequence_store=f"redis://me:guessed@127.0.0.1:{port}/0").step
    code, text = refused(wrong, a, 1)
    assert (code, text[:32]) == ("UNAVAILABLE", "Sequence store is not reachable:")
    assert "guessed" not in text
    np.testing.assert_array_equal(one.end(a, 1)["y"], sums(a, b, a))


def test_sequences_are_kept_over_tls(start, repository, serve, tmp_path):
    authority, stranger = Certificate("authority"), Certificate("stranger")
    own = Certificate("redis", authority)
    for name, content in (("ca", authority.pem), ("stranger", stranger.pem), ("crt", own.pem), ("key", own.key)):
        (tmp_path / name).write_bytes(content)
    port = free_port()
    files = ["--tls-ca-cert-file", str(tmp_path / "ca"), "--tls-cert-file", str(tmp_path / "crt")]
    start("--tls-port", str(port), "--tls-auth-clients", "no", *files, "--tls-key-file", str(tmp_path / "key"))
    address = f"rediss://me:secret@localhost:{port}/0?lease_seconds=1&ssl_ca_certs={tmp_path}"
    repository("running", 1)
    step = serve(sequence_store=f"{address}/ca").step
    step.start(a, 1)
    np.testing.assert_array_equal(step(b, 1)["y"], sums(a, b))
    store = open_store(f"{address}/stranger", SystemClock())
    with pytest.raises(ServingError, match=r"not reachable: .*certificate verify failed"):
        store.read(Key("m", 1))
    store.stop()
