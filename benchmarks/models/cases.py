"""What is measured: recurrence, task and sizes, with inputs and weights that every contender gets.

Weights are a state_dict by torch's names, so that the torch contender runs without TensorFlow in its process.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.float32]]
GATES = {"LSTM": 4, "GRU": 3, "VanillaRNN": 1}
CLASSES = 10


@dataclass(frozen=True)
class Case:
    """One thing to time. task: a name of TASKS; "train" is a whole model of two layers and a readout."""

    kind: str
    task: str
    batch: int
    time: int
    features: int
    units: int

    def sizes(self) -> str:
        """As it stands in the tables: batch, time, input, units."""
        return f"{self.batch}, {self.time}, {self.features}, {self.units}"


TASKS = {
    "forward": "forward",
    "gradients": "forward and backward",
    "step": "one time step of one sequence",
    "train": "one training step",
}
SIZES = ((1, 64, 64, 64), (1, 64, 256, 256), (16, 64, 128, 128), (32, 100, 128, 256), (64, 128, 512, 512))
LAYERS = [Case(kind, task, *sizes) for kind in GATES for task in ("forward", "gradients") for sizes in SIZES]
STEPS = [Case(kind, "step", 1, 1, units, units) for kind in GATES for units in (64, 256)]
TRAIN = [Case("LSTM", "train", 32, 100, 32, 64)]
FIRST_CALLS = [Case("LSTM", "forward", *SIZES[2]), Case("LSTM", "gradients", *SIZES[2]), *TRAIN]
MEMORY = [Case("LSTM", "gradients", *SIZES[4]), *(Case(kind, "gradients", *SIZES[3]) for kind in GATES), *TRAIN]
GROWING = [Case(kind, "gradients", *SIZES[3]) for kind in GATES]

QUICK_LAYERS = [Case(kind, task, 2, 5, 3, 4) for kind in GATES for task in ("forward", "gradients")]
QUICK_STEPS, QUICK_TRAIN = [Case("GRU", "step", 1, 1, 4, 4)], [Case("LSTM", "train", 2, 5, 3, 4)]
QUICK_MEMORY = QUICK_GROWING = [Case("LSTM", "gradients", 2, 5, 3, 4)]


def doubled(case: Case, name: str, times: int = 2) -> list[Case]:
    """The case, and the same with its time or batch doubled once, twice, ..."""
    return [replace(case, **{name: getattr(case, name) << power}) for power in range(times + 1)]


def weights(case: Case) -> Arrays:
    """A state_dict by torch's names, as wide spread as torch's own start; of two layers for "train"."""
    rng = np.random.default_rng(0)
    levels = 2 if case.task == "train" else 1
    rows = GATES[case.kind] * case.units

    def draw(*shape: int) -> NDArray[np.float32]:
        limit = case.units**-0.5
        return rng.uniform(-limit, limit, shape).astype(np.float32)

    arrays: Arrays = {}
    for level in range(levels):
        below = case.units if level else case.features
        shapes = {"weight_ih": (rows, below), "weight_hh": (rows, case.units), "bias_ih": (rows,), "bias_hh": (rows,)}
        arrays |= {f"{name}_l{level}": draw(*shape) for name, shape in shapes.items()}
    return arrays


def readout(case: Case) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel [units, classes] and bias of the layer above the recurrence in "train"."""
    kernel = np.random.default_rng(1).normal(scale=case.units**-0.5, size=(case.units, CLASSES))
    return kernel.astype(np.float32), np.zeros(CLASSES, np.float32)


def inputs(case: Case) -> NDArray[np.float32]:
    """[batch, time, features], normal."""
    shape = (case.batch, case.time, case.features)
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


def cotangent(case: Case) -> NDArray[np.float32]:
    """What the loss sends back to each output [batch, time, units]."""
    shape = (case.batch, case.time, case.units)
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def labels(case: Case) -> NDArray[np.int64]:
    """A class for each sequence."""
    return np.random.default_rng(4).integers(CLASSES, size=case.batch)


def states(case: Case) -> list[NDArray[np.float32]]:
    """The state before a single step: h, and c of the LSTM, each [batch, units]."""
    rng = np.random.default_rng(5)
    parts = 2 if case.kind == "LSTM" else 1
    return [rng.uniform(-0.9, 0.9, (case.batch, case.units)).astype(np.float32) for _ in range(parts)]
