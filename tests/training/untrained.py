"""The entries of the zoo that are trained, built and exported as they are before training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.zoo import entry
from tests.training import made_up
from tests.training.sentences import write_treebank
from tests.training.utterances import write_utterances
from training.export.card import card
from training.export.saved_model import write
from training.run import with_settings
from training.tasks.table import task_module
from training.tasks.task import Task

DATA: dict[str, Callable[[Path], Path]] = {  # by entry whose data do not ship: writes made-up ones into a folder
    "char-lm": made_up.sentences_file,
    "forecast": made_up.hourly_file,
    "g2p": made_up.pairs_file,
    "intent-slots": write_utterances,
    "speaker": made_up.ts_file,
    "tagger": write_treebank,
    "word-lm": made_up.sentences_file,
}
SETTINGS: dict[str, dict[str, str]] = {  # by entry whose network is too large for a test
    "char-lm": {"embedding": "4", "units": "8", "batch_size": "4", "unroll_steps": "16"},
    "forecast": {"look_back": "24", "segment": "12", "horizon": "24", "units": "8", "batch_size": "8"},
    "g2p": {"embedding": "4", "encoder_units": "4", "decoder_units": "8"},
    "tagger": {"word_units": "8", "spelling_units": "8", "units": "8", "layers": "1"},
    "word-lm": {"units": "8", "layers": "1", "batch_size": "4", "unroll_steps": "16"},  # char-lm has two
}


@dataclass(frozen=True)
class Untrained:
    """A task, its network's signatures in memory, and the folder they were exported to."""

    task: Task
    signatures: Mapping[str, Any]
    folder: Path


def untrained(name: str, folder: Path) -> Untrained:
    """Builds and exports an entry into a folder, on made-up data where its own do not ship."""
    module = task_module(name)
    data = DATA[name](folder) if name in DATA else None
    task: Task = module.prepare(with_settings(module.RUN, SETTINGS.get(name, {})), data)
    model = task.build()
    signatures = entry(name).signatures(model)
    write(folder / "1", model, signatures, task.examples(), card(name), {"run_id": "none"})
    return Untrained(task, signatures, folder / "1")
