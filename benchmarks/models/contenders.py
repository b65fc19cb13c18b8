"""Who is compared: our layer in four forms, that of keras.layers in two, and torch.nn.

A contender is made for one case by its name; all get the same inputs and weights, and are held to the same numbers
before they are timed. The libraries are imported when a contender needs them.
"""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.models.cases import Arrays, Case

OURS, KERAS, TORCH = ("ours", "ours compiled", "ours halves", "ours called"), ("keras", "keras compiled"), ("torch",)
CALLED = "ours called"  # compiled, by `models.compiled_call`: inference alone
CONTENDERS = (*OURS, *KERAS, *TORCH)
INFERENCE = ("forward", "step")
LIBRARY = {name: "torch_calls" if name in TORCH else "tensorflow_calls" for name in CONTENDERS}
VALUES, GRADIENTS = 2e-5, 1e-4  # how far numbers may lie apart, relative to the largest of each array
BY_GRADIENTS = ("d ", "later")  # names of numbers that come of gradients


@dataclass(frozen=True)
class Contender:
    """call: what is timed, one call. numbers: the results of such a call by name, gradients in torch's form."""

    call: Callable[[], Any]
    numbers: Callable[[], Arrays]


def able(case: Case, names: Iterable[str] = CONTENDERS) -> tuple[str, ...]:
    """Those of the names that can do what the case asks."""
    return tuple(name for name in names if name != CALLED or case.task in INFERENCE)


def load(name: str) -> Any:
    """The module that makes the contender, with its library imported, and both cores its own."""
    return importlib.import_module(f"benchmarks.models.{LIBRARY[name]}")


def make(case: Case, name: str) -> Contender:
    """The contender of that name for the case; nothing is traced or compiled before its first call."""
    contender: Contender = load(name).make(case, name)
    return contender


def agreement(contenders: dict[str, Contender]) -> dict[str, float]:
    """How far each lies from the first, relative to the largest number of an array, at worst.

    Raises ArithmeticError when one is too far: a rival that computes something else must not be timed."""
    reference_name, *others = contenders
    reference = contenders[reference_name].numbers()
    apart = {}
    for name in others:
        numbers = contenders[name].numbers()
        common, worst = reference.keys() & numbers.keys(), 0.0
        if not common:
            raise ArithmeticError(f"{name} and {reference_name} have no numbers in common, so nothing can be compared.")
        for key in common:
            mine, its = np.asarray(reference[key], np.float64), np.asarray(numbers[key], np.float64)
            distance = _apart(mine, its) if mine.shape == its.shape else np.inf
            allowed = GRADIENTS if key.startswith(BY_GRADIENTS) else VALUES
            if not distance <= allowed:  # so that nan is too far
                raise ArithmeticError(
                    f"{key} of {name} lies {distance:.1e} from that of {reference_name}; {allowed:.0e} is allowed."
                )
            worst = max(worst, distance)
        apart[name] = worst
    return apart


def _apart(mine: NDArray[Any], its: NDArray[Any]) -> float:
    return float(np.max(np.abs(mine - its)) / max(float(np.max(np.abs(mine))), 1e-30))
