"""What each process of `tests/end_to_end/test_shared.py` does that trains together with another, or has two devices.

    python -m tests.training.together mirrored|multi-worker FOLDER [ARGUMENT ...]

Prints as JSON, last, the losses of two epochs of some entries and the errors of what is refused; with arguments it has
run `seqzoo ARGUMENT ...` before.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import get_args

import keras
import tensorflow as tf

from seqzoo.command import cli
from tests.training.untrained import DATA, SETTINGS
from training import distribution
from training.carried import CarriedText
from training.distribution import Strategy, Team, join
from training.errors import InputError
from training.pipeline import follow, prepared, train
from training.run import TrainingRun, with_settings
from training.tasks.table import task_module

SHARED = {  # batches of odd size, and in each epoch one that is smaller
    "weather": {"batch_size": "301", "window_days": "7", "units": "4"},  # windows of one length
    "tagger": {"batch_size": "21", "layers": "1"},  # sentences of any length, losses that are the mean over words
    "char-lm": {"batch_size": "7", "layers": "1"},  # one text, the state carried over
}
ENTRIES = {"mirrored": ("weather", "char-lm"), "multi-worker": ("tagger", "char-lm")}


def settings_of(name: str) -> dict[str, str]:
    """Nothing is dropped out, which each replica would draw by itself; gradients are clipped."""
    noise = ("dropout", "noise", "unknown_rate")
    still = {field.name: "0" for field in fields(task_module(name).RUN.network) if field.name.endswith(noise)}
    return {**SETTINGS.get(name, {}), **SHARED[name], **still, "gradient_clip": "0.05", "epochs": "3"}


def run_of(name: str, **more: str) -> TrainingRun:
    return with_settings(task_module(name).RUN, {**settings_of(name), **more})


def losses(name: str, folder: Path, team: Team | None = None, **more: str) -> list[float]:
    """Of two epochs; folder: where made-up data go."""
    run, data = run_of(name, **more), DATA[name](folder) if name in DATA else None
    keras.utils.set_random_seed(run.seed)
    model, walk = prepared(task_module(name).prepare(run, data), run, team)
    if team is None and not isinstance(walk, CarriedText):
        model.run_eagerly = True  # a graph for two epochs would take longer
    return [walk.epoch(number, lambda: None) for number in (1, 2)]


def refused(call: Callable[[], object]) -> str:
    """Why the call is refused; "" when it is not."""
    try:
        call()
    except InputError as error:
        return str(error)
    return ""


def not_shared(team: Team, folder: Path) -> dict[str, str]:
    """What two replicas say that cannot share, by the setting."""
    settings = {"jit_compile": "yes", "batch_size": "1"}
    return {name: refused(partial(losses, "char-lm", folder, team, **{name: text})) for name, text in settings.items()}


def told_differently(team: Team, folder: Path) -> dict[str, str]:
    """What each worker says when one has another seed."""
    run = run_of("weather", seed=str(team.worker))
    call = partial(train, run, folder / "repository", team=team) if team.chief else partial(follow, run, team)
    return {"seed": refused(call)}


def main(strategy: Strategy, folder: Path, arguments: list[str]) -> None:
    if strategy == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    team = join(strategy)
    assert team.replicas == 2
    folder = folder / f"data{team.worker}"
    folder.mkdir()
    found = {name: losses(name, folder, team) for name in ENTRIES[strategy]}
    errors = not_shared(team, folder) if strategy == "mirrored" else told_differently(team, folder)
    if arguments:
        distribution.join = lambda strategy: team  # a process joins once
        cli.main(arguments, standalone_mode=False)
    print(json.dumps({"losses": found, "errors": errors}))


if __name__ == "__main__":
    assert sys.argv[1] in get_args(Strategy)
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
