"""Which numbers training computes with, and whether XLA compiles its steps: fields of a run, as Keras has them.

Weights, the optimizer, losses and whatever is exported stay float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import keras

from training.errors import InputError
from training.run import TrainingRun

FLOAT32 = "float32"
MIXED = "mixed_bfloat16"
PRECISIONS = (FLOAT32, MIXED)
JIT_COMPILE: dict[str, bool | Literal["auto"]] = {"auto": "auto", "yes": True, "no": False}


def check(run: TrainingRun) -> None:
    """Raises InputError for what is no precision, or no way to compile."""
    for name, known in (("precision", PRECISIONS), ("jit_compile", tuple(JIT_COMPILE))):
        value = getattr(run, name)
        if value not in known:
            raise InputError(f"{name}={value}: expected one of {', '.join(known)}.")


@contextmanager
def of_layers(run: TrainingRun) -> Iterator[None]:
    """The layers that are made inside compute in the run's precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(run.precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def answer_in_float32(model: keras.Model) -> None:
    """Lets a network take its inputs as they are: its layers, not it, decide what to compute in bfloat16."""
    model.dtype_policy = keras.DTypePolicy(FLOAT32)
