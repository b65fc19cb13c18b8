"""Trains the zoo anew, records it and rewrites its page, which takes hours: `make zoo` is this.

    python -m training.zoo docs/zoo.md [MODEL ...]

Each model has a home of its own, SEQZOO_HOME/zoo/MODEL, in which every seed is trained; so has each variant of it
(`training.zoo.variants`).
"""

import os
import subprocess
import sys
from pathlib import Path

from models.zoo import ZOO, entry
from training.home import home
from training.tasks.table import TASKS
from training.zoo import variants
from training.zoo.page import kept

SEEDS = (0, 1, 2)  # the first is that whose weights come along


def main() -> None:
    """Ends at the first training that fails, with its status."""
    path, *names = sys.argv[1:]
    for name in names or sorted(ZOO):
        own = {**os.environ, "SEQZOO_HOME": str(home() / "zoo" / entry(name).name)}
        trainings = [["training", name, "--seed", str(seed)] for seed in SEEDS] if name in TASKS else []
        for module in [*trainings, ["training.zoo.record", name]]:
            done = subprocess.run([sys.executable, "-m", *module], env=own, check=False)
            if done.returncode:
                sys.exit(done.returncode)
        for variant in (each for each in variants.VARIANTS if each.model == entry(name).name):
            status = variants.train(variant)
            if status:
                sys.exit(status)
    Path(path).write_text(kept(), encoding="utf-8")


if __name__ == "__main__":
    main()
