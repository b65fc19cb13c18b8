"""The long tests of the server: inputs at random, and version swaps and reloads under load.

python -m benchmarks.serving.soak --save benchmarks/results/soak.json
"""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.models.machine import machine
from benchmarks.serving.soak import fuzz, goals, swaps

INPUTS, SWAPS = 100_000, 500


def main(words: list[str]) -> int:
    """Runs both parts, prints what they find; 1 when something does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--inputs", type=int, default=INPUTS, help=f"inputs at random ({INPUTS}); 0: none")
    parser.add_argument("--swaps", type=int, default=SWAPS, help=f"version swaps ({SWAPS}); 0: none")
    parser.add_argument("--seed", type=int, default=0, help="of the inputs (0)")
    parser.add_argument("--save", type=Path, help="write what was found to this file, as JSON")
    asked = parser.parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # else the server would go on alone
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        if asked.inputs:
            rows.append({"machine": machine()} | fuzz.run(Path(folder, "fuzz"), asked.inputs, asked.seed, say))
        if asked.swaps:
            rows.append({"machine": machine()} | swaps.run(Path(folder, "swaps"), asked.swaps, say))
    if asked.save:
        save(asked.save, rows)
    held = True
    for row in rows:
        for verdict in goals.verdicts(row):
            held = held and verdict.holds
            print(f"{row['part']}: {verdict.asked}: {'holds' if verdict.holds else 'DOES NOT HOLD'} ({verdict.found})")
        for complaint in row.get("complaints", ()):
            print(json.dumps(complaint))
    return 0 if held else 1


def save(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes the rows in the place of those of the same part; a part that was not run keeps its row."""
    before = json.loads(path.read_text())["rows"] if path.exists() else []
    parts = {row["part"]: row for row in [*before, *rows]}
    path.write_text(json.dumps({"rows": [parts[part] for part in sorted(parts)]}, indent=1) + "\n")


def say(text: str) -> None:
    """Progress, for who waits."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
