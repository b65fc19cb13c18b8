"""A record as the fields of a Redis hash: states and answer as serialised TensorProtos, which any language can read.

`version`, `index` (of the last completed step), `ended`, `layout` (states in the order of their bytes, as JSON),
`gone` (why no version takes it on, where none does), `state_<name>` for each state, `answer_version` and
`answer:<output>` for the kept answer; Redis adds `used` (moment of the last successful call, microseconds since 1970)
and `fence` (who wrote it)."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from serving import tensor_proto
from serving.dtypes import DTYPES
from serving.sequences.store import Answer, Layout, Record

ANSWER = b"answer:"


class _Part(NamedTuple):
    """One state in the packed bytes."""

    alias: bytes
    dtype: np.dtype
    shape: tuple[int, ...]  # of one row
    begin: int
    end: int


def to_fields(record: Record) -> list[bytes | str | int]:
    """Names and values in turn."""
    fields: list[bytes | str | int] = [b"version", record.version, b"index", record.step, b"ended", int(record.ended)]
    fields += [b"layout", _json(record.layout)]
    for part in _parts(record.layout):
        array = np.frombuffer(record.state[part.begin : part.end], part.dtype).reshape(1, *part.shape)
        fields += [part.alias, tensor_proto.encode(array, as_content=True).SerializeToString()]
    if record.gone:
        fields += [b"gone", record.gone]
    if record.answer is not None:
        fields += [b"answer_version", record.answer.version]
        for alias, array in record.answer.outputs.items():
            proto = tensor_proto.encode(array, as_content=True)
            fields += [ANSWER + alias.encode(), proto.SerializeToString()]
    return fields


def from_fields(fields: Mapping[bytes, bytes], used_micros: int) -> Record:
    """The record; used_micros: its last use by this server's clock. Raises ValueError or KeyError for other hashes."""
    layout = _layout(fields[b"layout"])
    state = b"".join([_decoded(fields[part.alias]).tobytes() for part in _parts(layout)])
    answer = None
    if b"answer_version" in fields:
        aliases = sorted(name for name in fields if name.startswith(ANSWER))
        outputs = {name.removeprefix(ANSWER).decode(): _decoded(fields[name]) for name in aliases}
        answer = Answer(int(fields[b"answer_version"]), outputs)
    version, step, ended = (int(fields[name]) for name in (b"version", b"index", b"ended"))
    gone = fields.get(b"gone", b"").decode()
    return Record(version, step, state, layout, answer, used_micros, bool(ended), gone)


def _decoded(content: bytes) -> np.ndarray:
    return tensor_proto.decode(tensor_proto.TensorProto.FromString(content))


@lru_cache(64)
def _json(layout: Layout) -> bytes:
    return json.dumps(layout).encode()


@lru_cache(64)
def _layout(content: bytes) -> Layout:
    return tuple((str(alias), str(text)) for alias, text in json.loads(content))


@lru_cache(64)
def _parts(layout: Layout) -> tuple[_Part, ...]:
    dtypes = {dtype.name: dtype.numpy for dtype in DTYPES.values()}
    found: list[_Part] = []
    for alias, text in layout:
        name, _, axes = text.partition(" ")
        shape = tuple(map(int, axes[1:-1].split(",")[1:]))
        begin = found[-1].end if found else 0
        size = dtypes[name].itemsize * int(np.prod(shape, dtype=np.int64))
        found.append(_Part(alias.encode(), dtypes[name], shape, begin, begin + size))
    return tuple(found)
