"""`make run ONCE=1` and `make run`, as far as their one command goes."""

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.training import small

SECONDS = 240


SHORT = """
from seqzoo.command import main
from training.run import with_settings
from training.tasks import weather
weather.RUN = with_settings(weather.RUN, {"epochs": "2"})
main()
"""


def tour(command, home):
    return subprocess.Popen(
        command, env=small.environment(home, PYTHONUNBUFFERED="1"), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_once_goes_the_whole_way_and_ends_with_status_0(tmp_path):
    with socket.socket() as taken:  # as if another server had the port
        taken.bind(("0.0.0.0", 0 if in_use(8501) else 8501))
        taken.listen()
        process = tour(small.command("tour", "--once"), tmp_path)
        output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    assert re.search(r"Port 8501 is taken; HTTP uses \d+ instead\.", output)
    rows = dict(re.findall(r"^  (weather \(LSTM\)|persistence|climatology|ridge) +(.*)$", output, re.MULTILINE))
    assert rows["persistence"].split() == ["2.24", "C", "1.49", "C", "0.296"]
    high, _, low, _, rain = rows["weather (LSTM)"].split()
    assert float(high) <= 2.13
    assert float(low) <= 1.39
    assert float(rain) <= 0.190
    grpc_rows = re.findall(r"over gRPC +(-?\d.*)", output)
    assert len(grpc_rows) == 3
    assert grpc_rows == re.findall(r"over HTTP +(-?\d.*)", output)
    assert len(re.findall(r"it was +.* (?:yes|no)\n", output)) == 3
    assert "MLflow UI  http://localhost:" in output
    assert re.search(r"^curl -d '.*' http://localhost:\d+/v1/models/weather:predict$", output, re.MULTILINE)
    assert "Traceback" not in output


def in_use(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_stays_until_ctrl_c_and_its_curl_line_works_as_printed(tmp_path):
    process = tour([sys.executable, "-c", SHORT, "tour"], tmp_path)
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C ends" in line:
                break
        printed = "".join(lines)
        (curl,) = re.findall(r"^curl .*$", printed, re.MULTILINE)
        answer = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, check=True, timeout=30).stdout
        assert '"rain_probability"' in answer
        page = re.search(r"MLflow UI  (http\S+)", printed)[1]
        with urllib.request.urlopen(page, timeout=30) as opened:
            assert b"<title>MLflow</title>" in opened.read()
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, printed + rest
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(page, timeout=5)
    server = re.search(r"HTTP       (http\S+)", printed)[1]
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(server, timeout=5)
        except OSError:
            return
    pytest.fail("the server outlived the tour")
