"""Whether a version can hold sequences: what its signature `step` must look like, and how its states lie in bytes.

Aliases that begin with `state_` are the state: an input and an output of the same dtype and shape, batch first. Zeros
are the start. Everything is read from the SignatureDef."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from serving.batching import ragged
from serving.batching.ragged import LENGTHS
from serving.dtypes import DTYPES, STRING, name_of
from serving.sequences.special_inputs import SPECIAL
from serving.sequences.store import Layout
from serving.servable import Servable
from serving.signature import Signature

log = logging.getLogger(__name__)
STEP = "step"
STATE = "state_"


class NoContractError(Exception):
    """The rule that the signature breaks."""


@dataclass(frozen=True)
class State:
    """One part of the state: the shape of a row, and where its bytes lie in a packed state."""

    alias: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int

    @property
    def end(self) -> int:
        """Where the next part begins."""
        return self.begin + self.dtype.itemsize * math.prod(self.shape)

    @property
    def text(self) -> str:
        """dtype and shape as errors name them: `float [-1,64]`."""
        return f"{_dtype_name(self.dtype)} [{','.join(map(str, (-1, *self.shape)))}]"


@dataclass(frozen=True)
class Contract:
    """A signature that keeps the rules."""

    signature: Signature
    states: tuple[State, ...]
    inputs: tuple[str, ...]  # data inputs without `lengths`
    outputs: tuple[str, ...]  # data outputs
    ragged: ragged.Layout  # where the data have the batch and the time

    @property
    def state_bytes(self) -> int:
        """Bytes of a packed state."""
        return self.states[-1].end

    def zeros(self) -> bytes:
        """The state at the start of a sequence."""
        return bytes(self.state_bytes)

    def pack(self, states: Mapping[str, np.ndarray]) -> list[bytes]:
        """The packed state of each row; states: alias -> [n, ...].

        Raises ValueError for a state that has not the shape and dtype of the SignatureDef."""
        rows = len(next(iter(states.values())))
        columns = []
        for part in self.states:
            array = states[part.alias]
            if array.shape != (rows, *part.shape) or array.dtype != part.dtype:
                raise ValueError(
                    f"{part.alias} is {_dtype_name(array.dtype)} [{','.join(map(str, array.shape))}] after a step of "
                    f"{rows} rows; its signature says {part.text}"
                )
            columns.append(np.ascontiguousarray(array).reshape(rows, -1).view(np.uint8))
        if rows == 1:
            return [b"".join([column.tobytes() for column in columns])]
        packed = np.concatenate(columns, axis=1).tobytes()
        size = self.state_bytes
        return [packed[begin : begin + size] for begin in range(0, rows * size, size)]

    def unpack(self, packed: Sequence[bytes]) -> dict[str, np.ndarray]:
        """The states of some rows: alias -> [n, ...]."""
        if len(packed) == 1:
            return {
                part.alias: np.frombuffer(packed[0], part.dtype, math.prod(part.shape), part.begin).reshape(
                    1, *part.shape
                )
                for part in self.states
            }
        table = np.frombuffer(b"".join(packed), np.uint8).reshape(len(packed), -1)
        return {
            part.alias: np.ascontiguousarray(table[:, part.begin : part.end])
            .view(part.dtype)
            .reshape(len(packed), *part.shape)
            for part in self.states
        }

    def expected(self, states: bool, lengths: bool) -> Signature:
        """The signature with the inputs that a call brings: with its states, or with `lengths`, or without."""
        found = self._expected.get((states, lengths))
        if found is None:
            absent = set() if states else {part.alias for part in self.states}
            if not lengths and self.ragged.lengths is not None:
                absent.add(LENGTHS)
            inputs = {alias: slot for alias, slot in self.signature.inputs.items() if alias not in absent}
            found = self._expected[states, lengths] = replace(self.signature, inputs=inputs)
        return found

    @cached_property
    def _expected(self) -> dict[tuple[bool, bool], Signature]:
        return {}

    @cached_property
    def layout(self) -> Layout:
        """The states as a store remembers them."""
        return tuple((part.alias, part.text) for part in self.states)


def why_not_carried(before: Layout, after: Layout, version: int) -> str | None:
    """Why a state of one layout cannot go on in that version, which has the other; None when it can."""
    old, new = dict(before), dict(after)
    for alias in sorted({*old, *new}):
        if alias not in new:
            return f"state {alias} is absent in version {version}"
        if alias not in old:
            return f"state {alias} is new in version {version}"
        if old[alias] != new[alias]:
            return f"state {alias} differs: {old[alias]} became {new[alias]}"
    return None


def contract(signature: Signature) -> Contract:
    """The contract that the signature keeps; raises NoContractError with the rule that it breaks."""
    _check_reserved(signature)
    states = _states(signature)
    given = [alias for alias in signature.inputs if not alias.startswith(STATE) and alias != LENGTHS]
    outputs = tuple(alias for alias in signature.outputs if not alias.startswith(STATE))
    for kind, aliases, infos in (
        ("input", given, signature.proto.inputs),
        ("output", outputs, signature.proto.outputs),
    ):
        for alias in aliases:
            _check_batch(f"{kind} {alias}", infos[alias].tensor_shape)
    _check_lengths(signature)
    return Contract(signature, states, tuple(given), outputs, ragged.layout(signature))


_of_servables: WeakKeyDictionary[Servable, Contract | str] = WeakKeyDictionary()


def contract_of(servable: Servable) -> Contract | str:
    """The contract of a version, or the rule that it breaks.

    Found once, when the version is loaded; a signature `step` that is there and breaks a rule is named in the log."""
    found = _of_servables.get(servable)
    if found is None:
        found = _of_servables[servable] = _found(servable)
    return found


def _found(servable: Servable) -> Contract | str:
    signature = servable.signatures.get(STEP)
    if signature is None:
        return f"it has no signature {STEP}"
    try:
        return contract(signature)
    except NoContractError as error:
        log.warning(
            "Model %s version %d holds no sequences, its signature %s is an ordinary one: %s",
            *(servable.name, servable.version, STEP, error),
        )
        return str(error)


def _check_reserved(signature: Signature) -> None:
    for alias in SPECIAL:
        if alias in signature.inputs or alias in signature.outputs:
            raise NoContractError(f"alias {alias} of signature {STEP} is reserved")


def _states(signature: Signature) -> tuple[State, ...]:
    inputs, outputs = ([a for a in slots if a.startswith(STATE)] for slots in (signature.inputs, signature.outputs))
    if not inputs and not outputs:
        raise NoContractError(f"signature {STEP} has no input that begins with {STATE}")
    for alias in inputs:
        if alias not in outputs:
            raise NoContractError(f"state input {alias} has no output of that name")
    for alias in outputs:
        if alias not in inputs:
            raise NoContractError(f"state output {alias} has no input of that name")
    found: list[State] = []
    for alias in inputs:
        found.append(_state(alias, signature.proto, found[-1].end if found else 0))
    return tuple(found)


def _state(alias: str, proto: Any, begin: int) -> State:
    given, result = proto.inputs[alias], proto.outputs[alias]
    if given.dtype != result.dtype:
        raise NoContractError(f"state {alias} is {name_of(given.dtype)} as input and {name_of(result.dtype)} as output")
    dtype = DTYPES.get(given.dtype)
    if dtype is None or dtype.number == STRING:
        raise NoContractError(f"state {alias} is {name_of(given.dtype)}, expected a number or bool")
    shape, other = _shape(given.tensor_shape), _shape(result.tensor_shape)
    for text in (shape, other):
        if text is None or not text:
            raise NoContractError(f"state {alias} must have a rank of at least 1")
        if text[0] != -1:
            raise NoContractError(f"state {alias} must have the batch, of unknown size, as axis 0")
        if -1 in text[1:]:
            raise NoContractError(f"state {alias} has an axis of unknown size beside the batch")
    if shape is None or shape != other:
        raise NoContractError(f"state {alias} has another shape as output than as input")
    return State(alias, dtype.numpy, shape[1:], begin)


def _check_lengths(signature: Signature) -> None:
    if LENGTHS not in signature.inputs:
        return
    info = signature.proto.inputs[LENGTHS]
    if info.dtype not in ragged.LENGTHS_DTYPES:
        raise NoContractError(f"input {LENGTHS} is {name_of(info.dtype)}, expected int32 or int64")
    shape = _shape(info.tensor_shape)
    if shape is not None and len(shape) != 1:
        raise NoContractError(f"input {LENGTHS} must have the shape [batch]")


def _check_batch(what: str, proto: Any) -> None:
    shape = _shape(proto)
    if shape is not None and (not shape or shape[0] != -1):
        raise NoContractError(f"{what} must have the batch, of unknown size, as axis 0")


def _shape(proto: Any) -> tuple[int, ...] | None:
    return None if proto.unknown_rank else tuple(dim.size for dim in proto.dim)


def _dtype_name(dtype: np.dtype[Any]) -> str:
    return next((found.name for found in DTYPES.values() if found.numpy == dtype), str(dtype))
