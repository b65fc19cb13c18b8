"""What does it cost when the server keeps the states, and what do hand-written servers make of it?

    python -m benchmarks.serving.sequences --save benchmarks/results/sequences.json

One JSON line for each row; `--short` measures once and briefly; `--add` keeps what the file has, so that the whole can
be measured in parts: `--model`, `--part`, `--passes`."""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.models.layers import tidy
from benchmarks.models.machine import machine, set_up_process, version
from benchmarks.serving.sequences.contenders import SERVERS
from benchmarks.serving.sequences.models import NAMES

Row = dict[str, Any]
PARTS = ("load", "added", "threads", "live")
SECONDS = 2.0


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--short", action="store_true", help="one pass of a second each")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--model", choices=NAMES, action="append", help="only these")
    parser.add_argument("--part", choices=PARTS, action="append", help="only these")
    parser.add_argument("--only", action="append", help="of load, servers whose name begins with one of these")
    parser.add_argument("--save", type=Path, help="a file for all rows, which the report is made from")
    parser.add_argument("--add", action="store_true", help="to what the file has")
    return parser.parse_args(words)


def measured(asked: argparse.Namespace, root: Path, say: Any) -> None:
    """Measures what was asked for; say: takes rows."""
    from benchmarks.serving.sequences import measuring, steps, threads

    passes, seconds = (1, 1.0) if asked.short else (asked.passes, SECONDS)
    models = {}
    for name in asked.model or NAMES:
        folder = root / name / "classifier" / "1"
        folder.parent.mkdir(parents=True)
        subprocess.run([sys.executable, "-m", "benchmarks.serving.sequences.models", name, str(folder)], check=True)
        models[name] = steps.model(name, folder)
    parts, absences = asked.part or PARTS, set()
    for _ in range(passes if "load" in parts else 0):
        for name, model in models.items():
            for server in (one for one in SERVERS if one.name.startswith(tuple(asked.only or ("",)))):
                if server.name in absences:
                    continue
                try:
                    if why_not := server.why_not():
                        raise RuntimeError(why_not)
                    say(measuring.rates(server, model, root / name, seconds))
                except (RuntimeError, ArithmeticError) as error:
                    absences.add(server.name)
                    print(f"{server.name} is left out: {error}", file=sys.stderr, flush=True)
                    say([{"part": "absent", "server": server.name}])
    for name, model in models.items() if "added" in parts else ():
        say(measuring.added(model, root / name, seconds / 2))
    for name, model in models.items() if "threads" in parts else ():
        say(threads.by_thread(model, root / name, seconds))
    if "live" in parts and "lstm" in models:
        say(measuring.many(models["lstm"], root / "lstm", seconds))


def main(words: list[str]) -> int:
    """Prints a JSON line for each row, and saves them all when asked to."""
    asked = arguments(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended as well
    set_up_process()
    where = {**machine(), **{name: found for name in ("grpcio", "uvicorn") if (found := version(name))}}
    rows: list[Row] = []
    commands = [words]
    if asked.add and asked.save.exists():
        before = json.loads(asked.save.read_text())
        rows, commands = before["rows"], [*before.get("commands", []), words]

    def say(found: list[Row]) -> None:
        rows.extend(tidy(found))
        for row in tidy(found):
            print(json.dumps(row), flush=True)
        if asked.save:
            asked.save.parent.mkdir(parents=True, exist_ok=True)
            asked.save.write_text(json.dumps({"machine": where, "commands": commands, "rows": rows}, indent=1) + "\n")

    with tempfile.TemporaryDirectory() as folder:
        measured(asked, Path(folder), say)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
