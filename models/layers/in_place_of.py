"""What a class that takes the place of one of Keras's has from it: the order of its arguments, its name in files.

Keras finds a layer's weights in a file at a place that it makes of the class's `__name__`: "layers/simple_rnn/cell" for
SimpleRNN. A class of another name would find nothing in the files of the one whose place it takes, nor that one in its
files. So Keras's name becomes its `__name__`; by `__qualname__` Python prints and pickles it.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)


def in_place_of(Peer: type, **of_ours: Any) -> Callable[[Class], Class]:
    """Decorates a layer or cell that takes the place of Peer, a class of Keras.

    Its initializer, written for arguments by name, takes them by position too, in Peer's order. of_ours: options that
    Peer has not, with their defaults; they go by name, and the signature shows them."""

    def decorate(Ours: Class) -> Class:
        _take_by_position(Ours, Peer, of_ours)
        if Ours.__name__ != Peer.__name__:
            _file_as(Ours, Peer.__name__)
        return Ours

    return decorate


def own_name(kind: type) -> str:
    """The class's own name, where Keras knows it by another."""
    return kind.__qualname__.rpartition(".")[2]


def _take_by_position(Ours: Any, Peer: Any, of_ours: dict[str, Any]) -> None:
    by_name = Ours.__init__
    itself, *theirs, rest = inspect.signature(Peer.__init__).parameters.values()
    names = [parameter.name for parameter in theirs]

    @functools.wraps(by_name)
    def by_position_too(self: Any, *by_position: Any, **options: Any) -> None:
        if len(by_position) > len(names):
            raise TypeError(
                f"{own_name(type(self))} got {len(by_position)} arguments by position; it expected at most "
                f"{len(names)}, {names[0]} to {names[-1]}. Give the others by name."
            )
        given = dict(zip(names, by_position, strict=False))
        twice = given.keys() & options.keys()
        if twice:
            raise TypeError(
                f"{own_name(type(self))} got {', '.join(sorted(twice))} both by position and by name; give it once."
            )
        by_name(self, **given, **options)

    ours = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value) for name, value in of_ours.items()]
    by_position_too.__signature__ = inspect.Signature([itself, *theirs, *ours, rest])  # type: ignore[attr-defined]
    Ours.__init__ = by_position_too


def _file_as(Ours: Any, name: str) -> None:
    def own_repr(self: Any) -> str:
        return f"<{own_name(type(self))} name={self.name}, built={self.built}>"

    Ours.__name__, Ours.__repr__ = name, own_repr
