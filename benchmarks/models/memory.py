"""Peak memory of a contender's training step, in a process of its own.

The child reads VmHWM, the peak of its own address space. `ru_maxrss` would do for a child of a small parent only: a
process keeps the peak of the one that it was made from.
"""

import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.models.cases import Case

STATUS = Path("/proc/self/status")
STEPS = 5


def peak_mib(case: Case, name: str) -> float:
    """MiB that the steps need beyond the imports: the peak after them, less what was held before."""
    order = json.dumps({"case": asdict(case), "name": name})
    command = [sys.executable, "-m", "benchmarks.models.memory", order]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    if done.returncode:
        raise RuntimeError(f"memory of {name} for {case}: the process ended with {done.returncode}.\n{done.stderr}")
    before, after = json.loads(done.stdout.splitlines()[-1])
    return float(after - before)


def status_mib(field: str, status: str) -> float:
    """VmRSS (held now) or VmHWM (the peak) of a process's status file, which counts in kB."""
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise LookupError(f"no {field} in {STATUS}; memory is measured on Linux, --parts leaves it out.")
    return int(found[1]) / 1024


def main(order: str) -> None:
    """The child: imports, reads, steps, reads again."""
    from benchmarks.models import contenders, machine

    machine.set_up_process()
    wanted = json.loads(order)
    case, name = Case(**wanted["case"]), wanted["name"]
    contenders.load(name)
    before = status_mib("VmRSS", STATUS.read_text())
    contender = contenders.make(case, name)
    for _ in range(STEPS):
        contender.call()
    print(json.dumps([before, status_mib("VmHWM", STATUS.read_text())]))


if __name__ == "__main__":
    main(sys.argv[1])
