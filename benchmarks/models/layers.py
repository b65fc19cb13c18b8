"""Are our recurrent layers on a CPU faster than those of keras.layers and torch.nn, and do they need less memory?

    python -m benchmarks.models.layers --save benchmarks/results/layers.json

One JSON line a row; `--quick` runs all of it on toy sizes, `--parts` and `--kinds` a part of it.
"""

import argparse
import gc
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.models import cases, contenders, measuring, memory, ratios
from benchmarks.models.cases import Case
from benchmarks.models.machine import busy, machine, set_up_process

Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How long and for whom. seconds: of a contender's turn in a round. torch: False where it is not installed."""

    rounds: int = 9
    seconds: float = 0.25
    quick: bool = False
    kinds: tuple[str, ...] = tuple(cases.GATES)
    torch: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The contenders."""
        return contenders.CONTENDERS if self.torch else (*contenders.OURS, *contenders.KERAS)

    def of(self, full: list[Case], quick: list[Case]) -> list[Case]:
        """The cases of the kinds that are asked for."""
        return [case for case in (quick if self.quick else full) if case.kind in self.kinds]


def timed(case: Case, plan: Plan, names: tuple[str, ...]) -> Row:
    """All contenders agree, then run in turns."""
    gc.collect()  # the contenders of the case before
    made = {name: contenders.make(case, name) for name in contenders.able(case, names)}
    apart = contenders.agreement(made)
    calls = {name: contender.call for name, contender in made.items()}
    rounds = measuring.interleaved(calls, rounds=plan.rounds, seconds=plan.seconds)
    return {**asdict(case), **ratios.comparison(rounds), "apart": apart, "rounds": rounds}


def layers(plan: Plan) -> Iterator[Row]:
    """Forward, and forward with backward, of one layer."""
    for case in plan.of(cases.LAYERS, cases.QUICK_LAYERS):
        yield timed(case, plan, plan.names)


def steps(plan: Plan) -> Iterator[Row]:
    """One step of one sequence."""
    for case in plan.of(cases.STEPS, cases.QUICK_STEPS):
        yield timed(case, plan, plan.names)


def train(plan: Plan) -> Iterator[Row]:
    """One training step of a whole small model."""
    for case in plan.of(cases.TRAIN, cases.QUICK_TRAIN):
        yield timed(case, plan, plan.names)


def first_calls(plan: Plan) -> Iterator[Row]:
    """Tracing, compiling and one run."""
    for case in plan.of(cases.FIRST_CALLS, cases.QUICK_TRAIN):
        makers = {name: partial(fresh_call, case, name) for name in contenders.able(case, plan.names)}
        measuring.first_calls(makers, rounds=1)  # what a library does once in a process
        rounds = measuring.first_calls(makers, rounds=1 if plan.quick else 3)
        yield {**asdict(case), **ratios.comparison(rounds), "rounds": rounds}


def fresh_call(case: Case, name: str) -> Callable[[], Any]:
    """The call of a new contender."""
    return contenders.make(case, name).call


def peak_memory(plan: Plan) -> Iterator[Row]:
    """A training step of each in a process of its own."""
    for case in plan.of(cases.MEMORY, cases.QUICK_MEMORY):
        names, times = contenders.able(case, plan.names), 1 if plan.quick else 3
        rounds = {name: [memory.peak_mib(case, name) for _ in range(times)] for name in names}
        yield {**asdict(case), "mib": {name: vars(ratios.figure(peaks)) for name, peaks in rounds.items()}}


def growth(plan: Plan) -> Iterator[Row]:
    """Our time and memory when time, or batch, doubles."""
    for start in plan.of(cases.GROWING, cases.QUICK_GROWING):
        for doubled in ("time", "batch"):
            for case in cases.doubled(start, doubled, 1 if plan.quick else 2):
                row = timed(case, plan, contenders.OURS)
                peak = memory.peak_mib(case, row["ours"])
                yield {"doubled": doubled, **row, "mib": {row["ours"]: peak}}


PARTS = {
    "layers": layers,
    "steps": steps,
    "train": train,
    "first_calls": first_calls,
    "memory": peak_memory,
    "growth": growth,
}


def tidy(value: Any) -> Any:
    """A row with its numbers to four digits; a clock gives sixteen."""
    if isinstance(value, dict):
        return {name: tidy(part) for name, part in value.items()}
    if isinstance(value, list):
        return [tidy(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="toy sizes, two rounds: does it run?")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure (all)")
    parser.add_argument("--kinds", nargs="+", choices=cases.GATES, default=list(cases.GATES), help="which layers (all)")
    parser.add_argument("--rounds", type=int, default=Plan.rounds, help=f"turns of each contender ({Plan.rounds})")
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help=f"length of a turn ({Plan.seconds})")
    parser.add_argument("--without-torch", action="store_true", help="where torch is not installed")
    parser.add_argument("--save", type=Path, help="a file for all rows, which the report is made from")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Prints a JSON line for each row, and saves them all when asked to."""
    asked = arguments(words)
    set_up_process()
    where = machine()
    if not asked.without_torch and "torch" not in where:
        print("torch is not installed; `make bench-layers` has it, --without-torch leaves it out.", file=sys.stderr)
        return 2
    if busy(where):
        print(f"the load is {where['load']}: times will tell of other work, not of the layers.", file=sys.stderr)
    plan = Plan(asked.rounds, asked.seconds, asked.quick, tuple(asked.kinds), not asked.without_torch)
    if asked.quick:
        plan = Plan(2, 0.002, True, plan.kinds, plan.torch)
    rows = []
    for part in asked.parts:
        for row in PARTS[part](plan):
            rows.append(tidy({"benchmark": "layers", "part": part, **row}))
            print(json.dumps({**rows[-1], "machine": where}), flush=True)
    if asked.save:
        asked.save.parent.mkdir(parents=True, exist_ok=True)
        asked.save.write_text(json.dumps({"machine": where, "command": words, "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
