"""Timing several calls in turns, A B C A B C ...: what disturbs the machine disturbs all alike."""

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Clock = Callable[[], float]


def interleaved(
    calls: dict[str, Callable[[], Any]],
    *,
    rounds: int,
    seconds: float,
    least: int = 3,
    clock: Clock = time.perf_counter,
) -> dict[str, list[float]]:
    """Milliseconds of each call, one number a round: the median of as many calls as fit into `seconds`.

    A turn begins with a call that is not counted; every other round runs backwards, so that none always follows the
    same one. least: calls in a turn at least."""
    for call in calls.values():
        call()
    counts = {name: _count(call, seconds, least, clock) for name, call in calls.items()}
    found: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(rounds):
        for name in list(calls) if index % 2 == 0 else reversed(calls):
            found[name].append(statistics.median(_turn(calls[name], counts[name], clock)))
    return found


def _count(call: Callable[[], Any], seconds: float, least: int, clock: Clock) -> int:
    (milliseconds,) = _turn(call, 1, clock)
    return max(least, min(10_000, math.ceil(seconds * 1e3 / max(milliseconds, 1e-3))))


def _turn(call: Callable[[], Any], count: int, clock: Clock) -> list[float]:
    """Milliseconds of each of `count` calls after one that is not counted; without garbage collection."""
    call()
    times = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(count):
            begin = clock()
            call()
            times.append((clock() - begin) * 1e3)
    finally:
        if collecting:
            gc.enable()
    return times


def first_calls(
    makers: Mapping[str, Callable[[], Callable[[], Any]]], *, rounds: int, clock: Clock = time.perf_counter
) -> dict[str, list[float]]:
    """Milliseconds of the first call of a fresh contender, with its tracing and compiling, in turns."""
    found: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(rounds):
        for name, maker in makers.items():
            call = maker()
            begin = clock()
            call()
            found[name].append((clock() - begin) * 1e3)
    return found
