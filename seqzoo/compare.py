"""`seqzoo compare`: the same task with each recurrence, as a table."""

from collections.abc import Iterator, Sequence

import numpy as np

from models.layers.named import RECURRENCES, recurrence
from training.errors import InputError
from training.figures import shown
from training.zoo.comparison import Compared, Say
from training.zoo.comparison import compare as run_comparison


def compare(model: str, cells: str, seeds: str, settings: dict[str, str], say: Say) -> Iterator[str]:
    """The lines to be shown; cells and seeds with commas between. Raises InputError for others."""
    return table(run_comparison(model, cells_in(cells), seeds_in(seeds), settings, say))


def cells_in(text: str) -> list[str]:
    """The recurrences that a text names. Raises UnknownCellError for another name, InputError for none."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        recurrence(name)
    if not names:
        raise InputError(f"--cells {text!r} names no recurrence; give some of {','.join(RECURRENCES)}.")
    return list(dict.fromkeys(names))


def seeds_in(text: str) -> list[int]:
    """The seeds that a text names. Raises InputError for what is no number."""
    try:
        seeds = [int(each) for each in text.split(",")]
    except ValueError:
        raise InputError(f"--seeds {text!r}: expected whole numbers with commas between, such as 0,1,2.") from None
    return list(dict.fromkeys(seeds))


def table(found: Sequence[Compared]) -> Iterator[str]:
    """A line for each recurrence and figure: the mean over the seeds, and each seed's."""
    for each in found:
        for metric in each.tests[0]:
            values = [test[metric] for test in each.tests]
            said = ", ".join(map(shown, values))
            yield f"{each.cell} ({each.units} units, {each.parameters:,} parameters) test_{metric}, seeds {said}"
    for each in found:
        for when, sizes in each.gradients.items():
            yield f"{each.cell} gradient {len(sizes) - 1} time steps back, {when}: {sizes[0]:.1e} of the last step's"
    for each in found:
        for metric in each.tests[0]:
            yield f"{each.cell} test_{metric} {shown(float(np.mean([test[metric] for test in each.tests])))}"
