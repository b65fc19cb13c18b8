"""Load on a server by wrk (HTTP) and h2load (gRPC as frames), by Python where they are absent; its figures."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

NEEDED = {"rest": "wrk", "grpc": "h2load"}
PACKAGES = {"wrk": "wrk", "h2load": "nghttp2-client"}
PYTHON = "Python"
WARM_UP_SECONDS = 1  # of h2load, which do not count; wrk has no such thing


@dataclass(frozen=True)
class Figures:
    """rate: answers a second; p50, p99: milliseconds of a request; errors: answers that are none, or refuse."""

    rate: float
    p50: float
    p99: float
    requests: int
    errors: int


def frame(message: bytes) -> bytes:
    """A gRPC message as the body of an HTTP/2 request: not compressed, its length, itself."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def tool(form: str) -> str:
    """What makes the load here."""
    return NEEDED[form] if shutil.which(NEEDED[form]) else PYTHON


def run(form: str, url: str, body: Path, concurrency: int, seconds: float, answer_bytes: int) -> Figures:
    """So many connections, each with one request at a time. answer_bytes: length of a gRPC answer in its frame, by
    which h2load's errors are seen. Raises RuntimeError when the tool fails, or nothing is answered."""
    if tool(form) == PYTHON:
        from benchmarks.serving import python_load

        return python_load.run(form, url, body.read_bytes(), concurrency, seconds)
    if form == "rest":
        return _wrk(url, body, concurrency, seconds)
    return _h2load(url, body, concurrency, seconds, answer_bytes)


def _wrk(url: str, body: Path, concurrency: int, seconds: float) -> Figures:
    script = Path(__file__).with_name("post.lua")
    command = ["wrk", "-t1", f"-c{concurrency}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
    text = _output([*command, "-s", str(script), url], BODY=str(body))
    return Figures(**json.loads(text.splitlines()[-1]))


def _h2load(url: str, body: Path, concurrency: int, seconds: float, answer_bytes: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "requests"
        command = ["h2load", f"-c{concurrency}", "-m1", "-D", str(max(1, round(seconds)) + WARM_UP_SECONDS)]
        headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        text = _output([*command, f"--log-file={log}", "-d", str(body), *headers, url])
        return read_h2load(text, log.read_text(), answer_bytes)


def read_h2load(text: str, log: str, answer_bytes: int) -> Figures:
    """From what h2load prints, and its log: start (microseconds), status and microseconds of each request.

    It sees HTTP's status alone, and gRPC's stands in the trailers. But an error has no message: where fewer bytes of
    data came than so many answers have, the rest were errors. The first second does not count."""
    lines = [[int(word) for word in line.split("\t")] for line in log.splitlines()]
    data = int(_found(r"\((\d+)\) data", text))
    failed = int(_found(r"(\d+) failed", text))
    if not lines:
        raise RuntimeError(f"h2load got no answer:\n{text}")
    begin, end = min(line[0] for line in lines), max(start + took for start, _, took in lines)
    begin += WARM_UP_SECONDS * 1_000_000
    times = sorted(took / 1e3 for start, _, took in lines if start + took >= begin)
    if end <= begin:
        raise RuntimeError(f"h2load's log ends within its first {WARM_UP_SECONDS} s:\n{text}")
    wrong = sum(status != 200 for _, status, _ in lines)
    without = len(lines) - data // answer_bytes
    middle, late = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))]
    return Figures(len(times) / (end - begin) * 1e6, middle, late, len(times), max(failed, wrong, without))


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"h2load printed no {pattern!r}:\n{text}")
    return found[1]


def _output(command: list[str], **environment: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
