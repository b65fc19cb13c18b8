"""What the table of the zoo knows of a network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import keras

Task = Literal[
    "slides",
    "forecast",  # to the future
    "language-model",  # one to many: text
    "classification",  # to one label
    "tagging",  # to a label at each step
    "sequence-to-sequence",
]


class Network(Protocol):
    """A frozen dataclass: all that shapes a network, and how to build it."""

    def build(self) -> keras.Model:
        """The network with its weights, untrained unless the weights are the slides'."""


@dataclass(frozen=True)
class Entry:
    """One network of the zoo.

    network: its dataclass. task: the form of slide S12. data: the data set it is trained on, None where the weights
    are given. metric: the validation figure, lower is better, by which one version is better than another.
    signatures(model): the SavedModel's signatures by name, each a tf.function of named tensors to named tensors.
    evaluated: the one of them whose answers are measured.
    """

    name: str
    network: type[Network]
    task: Task
    data: str | None
    metric: str
    summary: str
    signatures: Callable[[Any], Mapping[str, Any]]
    evaluated: str = "serving_default"
