"""Load on a server by wrk (HTTP) and h2load (gRPC as frames); figures of one stretch of it."""

import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

NEEDED = {"rest": "wrk", "grpc": "h2load"}
PACKAGES = {"wrk": "wrk", "h2load": "nghttp2-client"}


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


def run(form: str, url: str, body: Path, concurrency: int, seconds: float) -> Figures:
    """So many connections, each with one request at a time. Raises RuntimeError when the tool fails."""
    if form == "rest":
        return _wrk(url, body, concurrency, seconds)
    return _h2load(url, body, concurrency, seconds)


def _wrk(url: str, body: Path, concurrency: int, seconds: float) -> Figures:
    script = Path(__file__).with_name("post.lua")
    command = ["wrk", "-t1", f"-c{concurrency}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
    text = _output([*command, "-s", str(script), url], BODY=str(body))
    return Figures(**json.loads(text.splitlines()[-1]))


def _h2load(url: str, body: Path, concurrency: int, seconds: float) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "requests"
        command = ["h2load", f"-c{concurrency}", "-m1", "-D", str(max(1, round(seconds))), "--warm-up-time=1"]
        headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        text = _output([*command, f"--log-file={log}", "-d", str(body), *headers, url])
        return read_h2load(text, log.read_text())


def read_h2load(text: str, log: str) -> Figures:
    """From what h2load prints, and its log: start, status and microseconds of each request.

    It sees HTTP's status alone, so a gRPC error in trailers does not count: the answers are checked around the load."""
    lines = [line.split("\t") for line in log.splitlines()]
    times = sorted(int(line[2]) / 1e3 for line in lines)
    rate = float(_found(r"finished in .*?, ([\d.]+) req/s", text))
    failed = int(_found(r"(\d+) failed", text))
    if not times:
        raise RuntimeError(f"h2load got no answer:\n{text}")
    wrong = sum(line[1] != "200" for line in lines)
    middle, late = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))]
    return Figures(rate, middle, late, len(times), max(failed, wrong))


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
