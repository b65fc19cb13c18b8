"""Which part of a training step more than doubles when its time, or its batch, doubles?

    python -m benchmarks.models.growth_profile

For each doubling in a saved run that took more than twice the time: both sizes in turns by the clock; what the
processor and the kernel did for a call; and where the threads were in it, by kind of operation, as TensorFlow's
profiler saw it. What is over twice itself stands first, with how much it is over; figures are medians of rounds. The
profiler takes time for each operation too, and the threads run side by side: parts are to be compared with themselves,
their sum is not the time of a call."""

import argparse
import json
import resource
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.models import cases, contenders, measuring, profile_spans, ratios
from benchmarks.models.cases import Case
from benchmarks.models.goals import DOUBLED, doublings, growth_figures
from benchmarks.models.layers import Plan
from benchmarks.models.machine import busy, machine, set_up_process
from benchmarks.models.report import about

Row = dict[str, Any]
Parts = dict[str, float]
Pair = tuple[Case, Case, str]  # before, after, the contender
RUN = Path("benchmarks/results/layers.json")
CALLS = 5  # in a round
LEAST_SHARE = 0.01  # of the larger call, for an operation to be shown
WAITING = ("KernelAndDeviceFunc::Run", "BlockUntilReady", "SlinkyThreadPool::Await")  # for other threads
ALL = "all that runs"


def pairs_over(rows: list[Row]) -> list[Pair]:
    """The doublings that took more than twice the time, the farthest first, each with the form that was measured."""
    found = []
    for before, after in doublings([row for row in rows if row["part"] == "growth"]):
        small, large = growth_figures(before, after)["time"]
        if large / small > DOUBLED:
            found.append((large / small, (case_of(before), case_of(after), str(after["ours"]))))
    return [pair for _, pair in sorted(found, key=lambda one: -one[0])]


def case_of(row: Row) -> Case:
    """What a row measured."""
    return Case(*(row[name] for name in ("kind", "task", "batch", "time", "features", "units")))


def by_the_clock(calls: dict[Case, Callable[[], Any]], plan: Plan) -> dict[Case, ratios.Figure]:
    """Milliseconds of a call of each, in turns."""
    by_sizes = {case.sizes(): call for case, call in calls.items()}
    rounds = measuring.interleaved(by_sizes, rounds=plan.rounds, seconds=plan.seconds)
    return {case: ratios.figure(rounds[case.sizes()]) for case in calls}


def of_the_process(call: Callable[[], Any], calls: int = CALLS) -> Parts:
    """For one call: the processor's milliseconds in the process itself and in the kernel for it, and page faults."""
    call()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(calls):
        call()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "the processor in the process, ms": (after.ru_utime - before.ru_utime) * 1e3 / calls,
        "the processor in the kernel, ms": (after.ru_stime - before.ru_stime) * 1e3 / calls,
        "page faults": (after.ru_minflt - before.ru_minflt) / calls,
    }


def by_operation(call: Callable[[], Any], steps: int, calls: int = CALLS) -> Parts:
    """Milliseconds of all threads together for one call, by kind of operation, each without those within it.

    Operations that run at each of the time steps stand apart from those that run a few times in a call."""

    def work() -> None:
        for _ in range(calls):
            settle(call())

    call()
    found: Parts = {}
    for name, own in profile_spans.own_times(profile_spans.profiled(work)).items():
        if name not in WAITING:
            often = "each step" if own.times >= steps * calls else "a few times"
            for part in (f"{profile_spans.kind(name)}, {often}, ms", f"{ALL} {often}, ms"):
                found[part] = found.get(part, 0.0) + own.seconds * 1e3 / calls
    return found


def in_turns(measures: list[Callable[[], Parts]], rounds: int) -> list[Parts]:
    """The parts that each measure finds, the median of the rounds; a part that a round has not counts as nothing."""
    found: list[list[Parts]] = [[measure() for measure in measures] for _ in range(rounds)]
    each = [[of_round[k] for of_round in found] for k in range(len(measures))]
    return [
        {
            part: statistics.median(one.get(part, 0.0) for one in several)
            for part in {name for one in several for name in one}
        }
        for several in each
    ]


def settle(results: Any) -> None:
    """Waits until they are there."""
    import tensorflow as tf

    for tensor in tf.nest.flatten(results):
        tensor.numpy()


def table(before: Parts, after: Parts) -> list[str]:
    """A part a line, the one that is the farthest over twice itself first: before, after, factor, how far over."""
    over = {part: much - DOUBLED * before.get(part, 0.0) for part, much in after.items()}
    lines = ["| part | before | after | factor | over twice |", "|---|---|---|---|---|"]
    for part in sorted(over, key=lambda name: -over[name]):
        small, large = before.get(part, 0.0), after[part]
        factor = f"{large / small:.2f}" if small else "-"
        lines.append(f"| {part} | {small:.3g} | {large:.3g} | {factor} | {over[part]:+.2g} |")
    return lines


def profile(pair: Pair, plan: Plan) -> list[str]:
    """The lines for one doubling: by the clock, of the process, by operation."""
    small, large, name = pair
    calls = {case: contenders.make(case, name).call for case in (small, large)}
    clock = by_the_clock(calls, plan)
    process = in_turns([partial(of_the_process, call) for call in calls.values()], plan.rounds)
    before, after = in_turns([partial(by_operation, call, case.time) for case, call in calls.items()], plan.rounds)
    low, high = clock[small], clock[large]
    doubled = "time" if small.time != large.time else "batch"
    by_clock = (f"{figure.median:.4g} ms ({figure.low:.4g} to {figure.high:.4g})" for figure in (low, high))
    return [
        f"## {large.kind}, {name}, {small.sizes()} to {large.sizes()}: {doubled} doubled",
        "",
        f"By the clock {', then '.join(by_clock)}: {high.median / low.median:.3g} times.",
        "",
        *table(*process),
        "",
        *table(before, {part: ms for part, ms in after.items() if ms >= LEAST_SHARE * high.median}),
        "",
    ]


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--run", type=Path, default=RUN, help=f"the saved run whose doublings are profiled ({RUN})")
    parser.add_argument("--worst", type=int, help="only so many of them, the farthest over twice the time (all)")
    parser.add_argument("--quick", action="store_true", help="a toy size, two rounds: does it run?")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Prints the machine, and the tables of each doubling."""
    asked = arguments(words)
    set_up_process()
    where = machine()
    if busy(where):
        print(f"the load is {where['load']}: times will tell of other work, not of the layers.", file=sys.stderr)
    plan = Plan(2, 0.002, True) if asked.quick else Plan()
    if asked.quick:
        small, large = cases.doubled(cases.QUICK_GROWING[0], "time", 1)
        pairs = [(small, large, "ours halves")]
    else:
        pairs = pairs_over(json.loads(asked.run.read_text())["rows"])[: asked.worst]
    print(f"{about(where)}\n")
    for pair in pairs:
        print("\n".join(profile(pair, plan)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
