"""Train, validation and test: found by the names that they usually have, or split off by a rule that is said."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from training.datasets.csv_rows import shown
from training.errors import InputError

NAMES: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing"),
}
HELD_OUT = 10  # one in so many examples for each part that is missing

Example = TypeVar("Example")


def part_named(where: str, text: str) -> str:
    """The part that a name stands for. Raises InputError, at `where`, for another word."""
    for part, names in NAMES.items():
        if text.strip().lower() in names:
            return part
    raise InputError(
        f"{where}: found {shown(text)}; expected train, valid or test. Name the part so, or leave the column out."
    )


def complete(given: Mapping[str, Sequence[Example]], path: Path, what: str) -> tuple[dict[str, list[Example]], str]:
    """All three parts, and how they came about; what is missing is held out from the training part.

    Of every `HELD_OUT` training examples, in their order, the first goes to the first missing part, the second to the
    second. what: the examples, in the plural. Raises InputError for a part that stays empty."""
    parts = {part: list(given.get(part, ())) for part in NAMES}
    missing = [part for part in NAMES if not parts[part]]
    train, rule = parts["train"], "split as given"
    if missing and train:
        for place, part in enumerate(missing):
            parts[part] = train[place::HELD_OUT]
        parts["train"] = [each for n, each in enumerate(train) if n % HELD_OUT >= len(missing)]
        rule = f"of every {HELD_OUT} training {what} in their order one is held out for {' and one for '.join(missing)}"
    for part, examples in parts.items():
        if not examples:
            raise InputError(
                f"{path}: found {len(train)} {what} to train on and none for the {part} part; expected some in each of "
                f"train, validation and test, or more than {HELD_OUT} to split. Add more."
            )
    counts = ", ".join(f"{part} {len(examples):,}" for part, examples in parts.items())
    return parts, f"{rule}: {counts} {what}"
