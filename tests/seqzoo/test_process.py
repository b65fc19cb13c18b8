"""Processes that run beside ours."""

import os
import socket
import subprocess
import sys
import textwrap

import pytest

from seqzoo.process import Companion
from training.errors import InputError

SERVER = textwrap.dedent(
    """
    import http.server, subprocess, sys
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("child", child.pid, flush=True)
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
    """
)


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def alive(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_it_is_waited_for_and_its_whole_group_ends_with_the_block(tmp_path, port):
    log = tmp_path / "logs" / "server.log"
    with Companion("the server", [sys.executable, "-c", SERVER, str(port)], log) as companion:
        companion.wait_for(f"http://127.0.0.1:{port}/", seconds=30)
        child = int(log.read_text().split()[1])
        assert alive(child)
        assert os.getpgid(companion.process.pid) != os.getpgid(0)
    assert companion.process.poll() is not None
    assert not alive(child)


def test_one_that_ends_early_is_reported_with_its_last_words(tmp_path, port):
    with (
        Companion(
            "the server", [sys.executable, "-c", "print('no model'); raise SystemExit(3)"], tmp_path / "log"
        ) as c,
        pytest.raises(InputError, match=r"the server ended with status 3; its log .*log ends: no model"),
    ):
        c.wait_for(f"http://127.0.0.1:{port}/", seconds=30)


def test_one_that_never_answers_is_reported(tmp_path, port):
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with Companion("the server", command, tmp_path / "log") as c, pytest.raises(InputError, match="did not answer at"):
        c.wait_for(f"http://127.0.0.1:{port}/", seconds=0.3)
