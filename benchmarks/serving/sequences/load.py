"""Many live sequences, some of them asked at any moment, none twice at once."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from functools import partial

from benchmarks.serving.load import Figures
from benchmarks.serving.sequences import wire
from benchmarks.serving.sequences.steps import CHECKED, Body, Model, check


class Live:
    """Sequences of one server, by number, and how many steps each has had. A number starts when it is first asked."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self.steps = dict.fromkeys(numbers, 0)


class Load:
    """One way to ask one server, on connections of its own."""

    def __init__(self, form: str, port: int, path: str, body: Body) -> None:
        """form: rest or grpc."""
        self._made = wire.Grpc if form == "grpc" else partial(wire.Http, path)
        self._port = port
        self._body = body

    def verify(self, model: Model, way: str, form: str, number: int) -> None:
        """Asks the first steps of a new sequence. Raises OSError without an answer, ArithmeticError for a wrong one."""
        asyncio.run(self._verify(model, way, form, number))

    async def _verify(self, model: Model, way: str, form: str, number: int) -> None:
        connection = await wire.connect(self._made, self._port)
        try:
            for index in range(CHECKED):
                async with asyncio.timeout(30):
                    answer = await connection.ask(self._body(number, index))
                if answer is None:
                    raise OSError(f"{way} over {form}: step {index} gets an error")
                check(model, way, form, index, answer)
        finally:
            connection.close()

    def start(self, live: Live, concurrency: int = 32) -> None:
        """One step of each that has had none. Raises RuntimeError when one fails."""
        figures = asyncio.run(self._run(live, [n for n, had in live.steps.items() if not had], concurrency, None))
        if figures.errors:
            raise RuntimeError(f"{figures.errors} of {figures.requests} sequences do not start")

    def measure(self, live: Live, concurrency: int, seconds: float) -> Figures:
        """Steps of all of them in turn, on so many connections."""
        return asyncio.run(self._run(live, list(live.steps), concurrency, seconds))

    async def _run(self, live: Live, numbers: list[int], concurrency: int, seconds: float | None) -> Figures:
        """One step of each, or so many seconds of steps."""
        connections = [await wire.connect(self._made, self._port) for _ in range(concurrency)]
        turns, times, errors = deque(numbers), list[float](), 0
        begin = time.perf_counter()

        async def work(connection: wire.Connection) -> None:
            nonlocal errors
            while turns and (seconds is None or time.perf_counter() - begin < seconds):
                number = turns.popleft()
                request = self._body(number, live.steps[number])
                asked = time.perf_counter()
                answer = await connection.ask(request)
                times.append(time.perf_counter() - asked)
                if answer is None:
                    errors += 1
                    return
                live.steps[number] += 1
                if seconds is not None:
                    turns.append(number)

        try:
            await asyncio.gather(*map(work, connections))
            took = time.perf_counter() - begin
        finally:
            for connection in connections:
                connection.close()
        times.sort()
        middle, late = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))]
        return Figures(len(times) / took, middle * 1e3, late * 1e3, len(times), errors)
