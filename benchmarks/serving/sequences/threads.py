"""What a step takes of the processor, by the server's threads: the busiest, which under load is the event loop of the
face, and all others, which run batches and carry gRPC's bytes."""

from pathlib import Path
from typing import Any

import psutil

from benchmarks.serving.sequences.contenders import BOTH, ours
from benchmarks.serving.sequences.load import Live
from benchmarks.serving.sequences.measuring import LIVE, WARM, WARM_SECONDS, load_of, started
from benchmarks.serving.sequences.steps import HELD, Model

Row = dict[str, Any]
CONCURRENCIES = (1, 32)


def seconds_of(process: psutil.Process) -> dict[int, float]:
    """Processor seconds by thread."""
    return {thread.id: thread.user_time + thread.system_time for thread in process.threads()}


def by_thread(model: Model, repository: Path, seconds: float) -> list[Row]:
    """For each way and concurrency: microseconds from one answer to the next, of the busiest thread, of the others."""
    rows = []
    with started(ours("memory"), BOTH[0], model, repository) as server:
        loads, kept = {way: load_of(model, way) for way in BOTH}, Live(range(LIVE))
        live = {way: kept if way.kind == HELD else Live(range(LIVE)) for way in BOTH}
        loads[BOTH[0]].start(kept)
        for concurrency in WARM:
            for way, load in loads.items():
                load.measure(live[way], concurrency, WARM_SECONDS)
        for concurrency in CONCURRENCIES:
            for way, load in loads.items():
                before = seconds_of(server.process)
                figures = load.measure(live[way], concurrency, seconds)
                after = seconds_of(server.process)
                each = [(after[thread] - before.get(thread, 0.0)) / figures.requests * 1e6 for thread in after]
                found = {"step_us": 1e6 / figures.rate, "busiest_us": max(each), "others_us": sum(each) - max(each)}
                place = {"kind": way.kind, "form": way.form, "concurrency": concurrency}
                rows.append({"part": "threads", "model": model.name, **place, **found})
    return rows
