"""Which task trains which model of the zoo: its run with defaults, and how its data are read."""

import importlib
from typing import Any

from models.zoo import ZOO, entry
from training.errors import InputError

TASKS = {
    "char-lm": "training.tasks.char_lm",
    "forecast": "training.tasks.forecast",
    "g2p": "training.tasks.g2p",
    "intent-slots": "training.tasks.intent_slots",
    "speaker": "training.tasks.speaker",
    "tagger": "training.tasks.tagger",
    "weather": "training.tasks.weather",
    "word-lm": "training.tasks.word_lm",
}


def task_module(model: str) -> Any:
    """The module with RUN (the defaults) and `prepare(run, data)` of a model of the zoo.

    Raises UnknownModelError for a model that is not in the zoo, InputError for one that is not trained."""
    entry(model)
    if model not in TASKS:
        trained = ", ".join(name for name in ZOO if name in TASKS)
        raise InputError(
            f"{model!r} is not trained, its weights are given; `seqzoo export {model}`. Trained: {trained}."
        )
    return importlib.import_module(TASKS[model])
