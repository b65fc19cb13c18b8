"""Trains the zoo anew, records it and rewrites its page, which takes hours: `make zoo` is this.

    python -m training.zoo docs/zoo.md [MODEL ...]

Each model has a home of its own, SEQZOO_HOME/zoo/MODEL, in which every seed is trained; so has each variant of it
(`training.zoo.variants`).
"""

import sys
from pathlib import Path

from models.zoo import ZOO, entry
from training.errors import InputError
from training.home import home
from training.tasks.table import TASKS
from training.zoo import variants
from training.zoo.in_turn import in_turn
from training.zoo.page import kept
from training.zoo.runs import SEEDS


def main() -> None:
    """Ends at the first training that fails, with its status."""
    path, *names = sys.argv[1:]
    try:
        models = [entry(name).name for name in names or sorted(ZOO)]
        for model in models:  # what is not there is better known before the hours than after
            variants.check(model)
    except InputError as error:
        sys.exit(f"Error: {error}")
    for model in models:
        trainings = [["training", model, "--seed", str(seed)] for seed in SEEDS] if model in TASKS else []
        in_turn(home() / "zoo" / model, [*trainings, ["training.zoo.record", model]])
        variants.train(model)
    Path(path).write_text(kept(), encoding="utf-8")


if __name__ == "__main__":
    main()
