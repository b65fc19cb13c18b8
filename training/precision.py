"""Which numbers training computes with, and whether XLA compiles its steps: fields of a run.

mixed_bfloat16: the recurrences, where the time goes, compute in bfloat16, half as wide as float32. Weights, the
optimizer, losses, the other layers and all that is validated or exported stay float32.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from models.layers.cell import RecurrentCell
from models.layers.recurrence import Recurrence
from training.errors import InputError
from training.run import TrainingRun

FLOAT32, MIXED = "float32", "mixed_bfloat16"
JIT_COMPILE = ("auto", "yes", "no")


def check(run: TrainingRun) -> None:
    """Raises InputError for a precision, or a jit_compile, that there is not."""
    for name, known in (("precision", (FLOAT32, MIXED)), ("jit_compile", JIT_COMPILE)):
        value = getattr(run, name)
        if value not in known:
            raise InputError(f"{name}={value}: expected one of {', '.join(known)}.")


def take_up(model: keras.Model, run: TrainingRun) -> None:
    """Lets the recurrences of a network compute in the run's precision, however deep inside they are."""
    if run.precision == FLOAT32:
        return
    for layer in model._flatten_layers():
        if isinstance(layer, Recurrence | RecurrentCell):
            layer.dtype_policy = keras.DTypePolicy(run.precision)


def compile_steps(model: keras.Model, run: TrainingRun, inputs: Mapping[str, np.ndarray]) -> None:
    """Lets XLA compile the training step of a compiled model where the run says so.

    Keras is not asked: where operations are to be deterministic, it warns and does not compile. Raises InputError for
    a network that is given texts: XLA has no strings, and may end the process over them."""
    texts = [name for name, array in inputs.items() if array.dtype.kind in "OUS"]
    if run.jit_compile == "yes" and texts:
        raise _cannot(run, f"it reads texts, {', '.join(texts)}")
    if run.jit_compile != "auto":
        model._jit_compile = run.jit_compile == "yes"


@contextmanager
def explaining_compilation(run: TrainingRun) -> Iterator[None]:
    """Around the training. Raises InputError where XLA cannot compile the step that it was asked to compile."""
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
        cannot = re.search(r"(unsupported operations|not compilable|No registered|determinis)[^\n]*", str(error))
        if run.jit_compile != "yes" or cannot is None:
            raise
        raise _cannot(run, cannot[0][:200]) from error


def _cannot(run: TrainingRun, why: str) -> InputError:
    return InputError(f"XLA cannot compile the training step of {run.model} ({why}); train it without --jit-compile.")
