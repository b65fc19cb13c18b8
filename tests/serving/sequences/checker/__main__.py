"""`python -m tests.serving.sequences.checker`: steps under faults, on each store in turn; one JSON line at the end.

Sequences, chunks, what clients do to their calls, and the order of the events follow from the seed; which call meets
which event is a matter of time."""

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
    parser.add_argument("--steps", type=int, default=1_000_000, help="acknowledged steps, over all stores")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--steps-an-event", type=int, default=3000, help="between two events on servers and store")
    parser.add_argument("--store", choices=SHARES, action="append", help="only these")
    parser.add_argument("--save", type=Path, help="file for the result")
    given = parser.parse_args()
    stores = given.store or list(SHARES)
    result = {"seed": given.seed, "clients": given.clients, "steps": 0, "machine": machine(), "stores": {}}
    for store in stores:
        steps = round(given.steps * SHARES[store] / sum(SHARES[one] for one in stores))
        began = time.monotonic()

        def say(text, store=store, began=began):
            print(f"{store}, {time.monotonic() - began:.0f} s: {text}", file=sys.stderr, flush=True)

        run = Run(
            store,
            steps=steps,
            seed=given.seed,
            clients=given.clients,
            steps_an_event=given.steps_an_event,
            said=say,
        )()
        result["steps"] += run.counts["steps"]
        counts, events = ({name: found[name] for name in sorted(found)} for found in (run.counts, run.events))
        result["stores"][store] = {"seconds": round(run.seconds), "counts": counts, "events": events}
        if given.save:
            given.save.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
