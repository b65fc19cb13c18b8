"""A version that can write text: `step` from tokens to logits, `encode` and `decode` between text and tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from tensorflow.core.framework import types_pb2

from serving.batching.ragged import LENGTHS
from serving.dtypes import BYTES, DTYPES
from serving.errors import InvalidArgumentError, ServingError, UnimplementedError
from serving.sequences import errors
from serving.sequences.contract import STATE, STEP, Contract, contract_of
from serving.sequences.joining import Step
from serving.servable import Servable
from serving.signature import Signature, Slot

TOKENS, LOGITS, TEXT, END_TOKEN = "tokens", "logits", "text", "end_token"
ENCODE, DECODE = "encode", "decode"
WHOLE = (types_pb2.DT_INT32, types_pb2.DT_INT64)
FLOATS = (types_pb2.DT_FLOAT,)
STRINGS = (types_pb2.DT_STRING,)
PADDING = -1


class _MissingError(Exception):
    """What the version lacks."""


@dataclass(frozen=True)
class Encoded:
    """A prompt."""

    tokens: np.ndarray  # [time]
    end_token: int | None  # after which the model has no more to say


class TextModel:
    """The signatures of one version, and how they are run."""

    def __init__(self, servable: Servable) -> None:
        """Raises _MissingError when it cannot write text."""
        self._servable = servable.unbatched
        self._step, self._encode, self._decode = (_signature(servable, name) for name in (STEP, ENCODE, DECODE))
        tokens = _slot(self._step, TOKENS, "input", WHOLE, 2)
        self._tokens, self._tokens_dtype = tokens.tensor, DTYPES[tokens.dtype].numpy
        for alias in self._step.inputs:
            if alias not in (TOKENS, LENGTHS) and not alias.startswith(STATE):
                raise _MissingError(f"signature {STEP} has an input {alias}, of which text knows nothing")
        _slot(self._step, LOGITS, "output", FLOATS, 3)
        self._prompt = _slot(self._encode, TEXT, "input", STRINGS, 1)
        self._encoded = _slot(self._encode, TOKENS, "output", WHOLE, 2)
        self._shown = _slot(self._decode, TOKENS, "input", WHOLE, 2)
        self._text = _slot(self._decode, TEXT, "output", STRINGS, 1)
        for signature, only in ((self._encode, TEXT), (self._decode, TOKENS)):
            for alias in signature.inputs:
                if alias != only:
                    raise _MissingError(f"signature {signature.name} has an input {alias} beside {only}")
        lengths = self._step.inputs.get(LENGTHS)
        self._lengths = {} if lengths is None else {lengths.tensor: DTYPES[lengths.dtype].numpy}
        self._pads: bool | None = None  # whether `decode` passes over -1; unknown before the first rows that differ

    def step(self, state: bytes, tokens: np.ndarray) -> Step:
        """The step that reads these tokens [time]."""
        feeds = {self._tokens: tokens.astype(self._tokens_dtype, copy=False)[None]}
        for tensor, dtype in self._lengths.items():
            feeds[tensor] = np.array([len(tokens)], dtype)
        return Step(state, feeds, (LOGITS,))

    def encode(self, prompt: bytes) -> Encoded:
        """Raises INVALID_ARGUMENT for a prompt without a token, and what the graph raises."""
        given = np.empty(1, BYTES)
        given[0] = prompt
        fetches = [self._encoded.tensor]
        end = self._encode.outputs.get(END_TOKEN)
        if end is not None:
            fetches.append(end.tensor)
        lengths = self._encode.outputs.get(LENGTHS)
        if lengths is not None:
            fetches.append(lengths.tensor)
        found = dict(zip(fetches, self._servable.run({self._prompt.tensor: given}, fetches), strict=True))
        tokens = found[self._encoded.tensor].reshape(-1)
        if lengths is not None:
            tokens = tokens[: _first(found[lengths.tensor])]
        if not tokens.size:
            raise InvalidArgumentError("generate_stream: prompt gives no token")
        return Encoded(tokens, None if end is None else _first(found[end.tensor]))

    def decode(self, rows: Sequence[Sequence[int]]) -> list[bytes | ServingError]:
        """The text of each row of tokens, or why it has none."""
        if len({len(row) for row in rows}) == 1:
            return self._decode_equal(rows)
        if self._pads is None:
            alone, padded = [self._decode_equal([row])[0] for row in rows], self._decode_padded(rows)
            self._pads = alone == padded
            return alone
        if self._pads:
            return self._decode_padded(rows)
        found: dict[int, bytes | ServingError] = {}
        for length in {len(row) for row in rows}:
            places = [place for place, row in enumerate(rows) if len(row) == length]
            found |= zip(places, self._decode_equal([rows[place] for place in places]), strict=True)
        return [found[place] for place in range(len(rows))]

    def _decode_padded(self, rows: Sequence[Sequence[int]]) -> list[bytes | ServingError]:
        longest = max(map(len, rows))
        return self._decode_equal([[*row, *[PADDING] * (longest - len(row))] for row in rows])

    def _decode_equal(self, rows: Sequence[Sequence[int]]) -> list[bytes | ServingError]:
        if not rows[0]:
            return [b"" for _ in rows]
        tokens = np.array(rows, DTYPES[self._shown.dtype].numpy)
        try:
            (texts,) = self._servable.run({self._shown.tensor: tokens}, [self._text.tensor])
        except ServingError as error:  # a bad row harms only itself
            return [error] if len(rows) == 1 else [self._decode_equal([row])[0] for row in rows]
        return [bytes(text) for text in texts.reshape(-1)]


_of_servables: WeakKeyDictionary[Servable, TextModel | str] = WeakKeyDictionary()


def text_model(servable: Servable) -> tuple[TextModel, Contract]:
    """The version as a writer of text.

    Raises UNIMPLEMENTED when it is none, FAILED_PRECONDITION when it is one that holds no sequences."""
    found = _of_servables.get(servable)
    if found is None:
        try:
            found = TextModel(servable)
        except _MissingError as error:
            found = str(error)
        _of_servables[servable] = found
    if isinstance(found, str):
        raise UnimplementedError(f"Model {servable.name} version {servable.version} cannot stream text: {found}")
    contract = contract_of(servable)
    if not isinstance(contract, Contract):
        raise errors.no_contract(servable.name, servable.version, contract)
    return found, contract


def _signature(servable: Servable, name: str) -> Signature:
    found = servable.signatures.get(name)
    if found is None:
        raise _MissingError(f"it has no signature {name}")
    return found


def _first(array: np.ndarray) -> int | None:
    return int(array.reshape(-1)[0]) if array.size else None


def _slot(signature: Signature, alias: str, kind: str, dtypes: Sequence[int], rank: int) -> Slot:
    """The input, whose batch and time are of unknown size, or the output, whose batch is."""
    slot = (signature.inputs if kind == "input" else signature.outputs).get(alias)
    if slot is None:
        raise _MissingError(f"signature {signature.name} has no {kind} {alias}")
    if slot.dtype not in dtypes:
        names = " or ".join(DTYPES[dtype].name for dtype in dtypes)
        raise _MissingError(f"{kind} {alias} of signature {signature.name} is {slot.dtype_name}, expected {names}")
    free = slice(2) if kind == "input" else slice(1)
    if slot.shape is not None and (len(slot.shape) != rank or any(size != -1 for size in slot.shape[free])):
        axes = ["batch", "time", "vocabulary"][:rank]
        raise _MissingError(
            f"{kind} {alias} of signature {signature.name} has the shape [{','.join(map(str, slot.shape))}], expected "
            f"[{', '.join(axes)}], {' and '.join(axes[free])} of unknown size"
        )
    return slot
