"""What a store of sequences does: one record for each sequence, written as a whole.

A store is asked for one sequence by one thread at a time: the turns see to that within a server."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from serving.errors import ServingError
from serving.sequences.patience import FOREVER, Patience

OVERHEAD_BYTES = 600  # of a record beside its state and answer, for the memory limit


Layout = tuple[tuple[str, str], ...]  # alias and `<dtype> <shape>` of each state


class Key(NamedTuple):
    """A sequence: ids are unique for each model name; the number 7 and the text "7" are two ids."""

    model: str
    id: int | str


class Answer(NamedTuple):
    """What a call was answered: the version that ran, and its outputs without the special ones."""

    version: int
    outputs: Mapping[str, np.ndarray]

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays; strings by their length."""
        return sum(
            sum(map(len, array.flat)) if array.dtype == object else array.nbytes for array in self.outputs.values()
        )


class Record(NamedTuple):
    """A sequence between two calls."""

    version: int  # that it runs on
    step: int  # index of the last completed one
    state: bytes  # packed by the version's contract
    layout: Layout  # by which a later version is compared
    answer: Answer | None  # of that step, where it came with its index
    used_micros: int  # moment of the last successful call
    ended: bool = False  # kept only for repeats of its end
    gone: str = ""  # why no version takes it on any more

    @property
    def nbytes(self) -> int:
        """About what it takes in memory."""
        return OVERHEAD_BYTES + len(self.state) + (0 if self.answer is None else self.answer.nbytes)


class Change(NamedTuple):
    """A record to write; None forgets the sequence."""

    key: Key
    record: Record | None
    goes_on: bool = False  # another change of the same call follows: a shared store keeps its lease


class Store(ABC):
    """Keeps records. Methods raise UNAVAILABLE when it cannot be reached or written."""

    reads_at_once = True  # without waiting for a machine or another server
    writes_at_once = False  # nor for a disk

    def __init__(self) -> None:
        self.expired: Callable[[Key], object] = lambda key: None  # told of idle ones that the store forgot

    @abstractmethod
    def read(self, key: Key, patience: Patience = FOREVER) -> Record | None:
        """The record; None when there is none. A shared store leases the sequence to this server, also where there is
        none, until `write` or `release`; while another server has it, this waits.

        Raises DEADLINE_EXCEEDED or CANCELLED when the patience is over before that."""

    @abstractmethod
    def write(self, changes: Sequence[Change]) -> list[ServingError | None]:
        """Makes the changes, of different sequences, each as a whole; why one was not made, or None. ABORTED when
        another server has the sequence by now."""

    def release(self, key: Key) -> None:  # noqa: B027 (only shared stores have something to give back)
        """The sequence was read and is not written: gives its lease back."""

    @abstractmethod
    def reserve(self, key: Key, version: int, most: int) -> None:
        """Counts a sequence that is about to start; raises UNAVAILABLE when the model has as many as that already."""

    @abstractmethod
    def unreserve(self, key: Key, version: int) -> None:
        """The start has failed, or was written: it counts no more as one that is about to."""

    @abstractmethod
    def live(self, model: str, version: int | None = None) -> int:
        """Sequences of the model, or of one of its versions, those about to start included."""

    @abstractmethod
    def models(self) -> list[str]:
        """The models that have sequences."""

    @abstractmethod
    def nbytes(self, model: str | None = None) -> int:
        """Bytes of all records, or of those of a model."""

    @abstractmethod
    def unused_since(self, model: str, micros: int, ended: bool = False) -> list[Key]:
        """Live sequences (or ended ones) whose last successful call was before that moment."""

    def start(self) -> None:  # noqa: B027
        """Begins: opens files, connects."""

    def stop(self) -> None:  # noqa: B027
        """Ends; what has been written stays, where the store keeps it."""
