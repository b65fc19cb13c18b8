"""Load on a server where wrk and h2load are absent: one loop of asyncio, whose own work is then in the figures."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from benchmarks.serving.load import Figures
from benchmarks.serving.sequences import wire

SECONDS = 10  # an answer that takes longer is none
FRAME_BYTES = 5  # before a gRPC message: a flag, its length; the connection writes them itself


def run(form: str, url: str, body: bytes, concurrency: int, seconds: float) -> Figures:
    """So many connections, each with one request at a time, the same again and again. body: of the HTTP request, for
    gRPC a message in its frame. Raises RuntimeError when nothing is answered."""
    return asyncio.run(_run(form, url, body, concurrency, seconds))


async def _run(form: str, url: str, body: bytes, concurrency: int, seconds: float) -> Figures:
    address = urlsplit(url)
    made: Callable[[], wire.Connection] = partial(wire.Grpc if form == "grpc" else wire.Http, address.path)
    body = body[FRAME_BYTES:] if form == "grpc" else body
    times, errors = list[float](), 0
    begin = time.perf_counter()

    async def work() -> None:
        nonlocal errors
        connection: wire.Connection | None = None
        while time.perf_counter() - begin < seconds:
            asked = time.perf_counter()
            answer = None
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(SECONDS):
                    connection = connection or await wire.connect(made, address.port or 80)
                    answer = await connection.ask(body)
            times.append(time.perf_counter() - asked)
            if answer is None:
                errors += 1
                if connection is not None:
                    connection.close()
                connection = None
                await asyncio.sleep(0)  # a connection that is refused at once must not keep the others waiting
        if connection is not None:
            connection.close()

    await asyncio.gather(*(work() for _ in range(concurrency)))
    took = time.perf_counter() - begin
    if errors == len(times):
        raise RuntimeError(f"{url} answers none of {errors} requests; expected a server that answers")
    times.sort()
    middle, late = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))]
    return Figures(len(times) / took, middle * 1e3, late * 1e3, len(times), errors)
