"""The server, timed inside: where a gRPC Predict call of a lone connection spends its time.

    python -m benchmarks.serving.inside FILE FLAGS

serves with these flags and keeps the medians of the last calls in the file, JSON, in microseconds."""

import json
import runpy
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from serving.compiling.servable import CompiledServable
from serving.grpc_api import PredictionService
from serving.grpc_receiving import Receiving

KEPT = 2000  # calls
OUTSIDE = "gRPC and the client, from an answer's end to the next call's begin"
MESSAGE = "its message waited for and read"
ANSWER = "the answer made, the model included"
RUN = "the model"


class Clock:
    """Notes how long each place takes, and writes the medians every `KEPT` calls."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._noted = {place: deque[float](maxlen=KEPT) for place in (OUTSIDE, MESSAGE, ANSWER, RUN)}
        self._ended = time.perf_counter()
        self._calls = 0

    def begins(self) -> None:
        """A call has come."""
        self._noted[OUTSIDE].append(time.perf_counter() - self._ended)

    def ends(self) -> None:
        """It is answered."""
        self._ended = time.perf_counter()
        self._calls += 1
        if self._calls % KEPT == 0:
            medians = {place: statistics.median(noted) * 1e6 for place, noted in self._noted.items() if noted}
            written = self._file.with_suffix(".new")
            written.write_text(json.dumps(medians))
            written.replace(self._file)

    def timed(self, place: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time noted."""

        @wraps(call)
        def run(*words: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*words, **named)
            finally:
                self._noted[place].append(time.perf_counter() - start)

        return run

    def awaited(self, place: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The coroutine function, the time until its end noted."""

        @wraps(call)
        async def run(*words: Any, **named: Any) -> Any:
            start = time.perf_counter()
            if place == MESSAGE:
                self.begins()
            try:
                return await call(*words, **named)
            finally:
                self._noted[place].append(time.perf_counter() - start)
                if place == ANSWER:
                    self.ends()

        return run


def main(file: str, *flags: str) -> None:
    """Puts the clock into the server's parts and serves."""
    clock = Clock(Path(file))
    for owner, name, place in ((Receiving, "message", MESSAGE), (PredictionService, "Predict", ANSWER)):
        setattr(owner, name, clock.awaited(place, getattr(owner, name)))
    CompiledServable.run = clock.timed(RUN, CompiledServable.run)  # type: ignore[method-assign]
    sys.argv = ["serving", *flags]
    runpy.run_module("serving", run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
