"""`python -m tests.serving.sequences.checker`: steps under faults, on each store in turn; one JSON line for each part.

Sequences, chunks, what clients do to their calls, the order of the events, and whether the versions of a single server
drain or hand their sequences on follow from the seed; which call meets which event is a matter of time. The whole is
run in parts, each with a seed of its own and servers of its own; a part that has ended is in the saved file, whatever
becomes of the next."""

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.models.machine import machine
from tests.serving.sequences.checker.run import Run

SHARES = {"redis": 0.4, "file": 0.4, "memory": 0.2}  # of the steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000, help="acknowledged steps, over all stores and parts")
    parser.add_argument("--seed", type=int, default=1, help="of the first part; each further part has the next")
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--steps-an-event", type=int, default=3000, help="between two events on servers and store")
    parser.add_argument("--store", choices=SHARES, action="append", help="only these")
    parser.add_argument("--save", type=Path, help="file for the result")
    given = parser.parse_args()
    stores = given.store or list(SHARES)
    parts = []
    for seed in range(given.seed, given.seed + given.parts):
        for store in stores:
            steps = round(given.steps / given.parts * SHARES[store] / sum(SHARES[one] for one in stores))
            parts.append(part(store, steps, seed, given.clients, given.steps_an_event))
            print(json.dumps(parts[-1]), flush=True)
            if given.save:
                given.save.write_text(json.dumps({"machine": machine(), "parts": parts}, indent=1) + "\n")


def part(store, steps, seed, clients, steps_an_event):
    """What a run under one seed on one store has found; raises ViolationError when a guarantee does not hold."""
    began = time.monotonic()

    def say(text):
        print(f"{store}, seed {seed}, {time.monotonic() - began:.0f} s: {text}", file=sys.stderr, flush=True)

    run = Run(store, steps=steps, seed=seed, clients=clients, steps_an_event=steps_an_event, said=say)()
    counts, events = ({name: found[name] for name in sorted(found)} for found in (run.counts, run.events))
    return {
        "store": store,
        "seed": seed,
        "on_version_change": run.change,
        "clients": clients,
        "seconds": round(run.seconds),
        "counts": counts,
        "events": events,
    }


if __name__ == "__main__":
    main()
