"""A record as bytes, with a checksum: what a file or another machine keeps of a sequence."""

import json
import struct
import zlib
from functools import lru_cache
from itertools import pairwise

import numpy as np
from tensorflow_serving.apis import predict_pb2

from serving import tensor_proto
from serving.sequences.store import Answer, Key, Layout, Record

HEAD = struct.Struct("<IqqdBIII")  # checksum, version, step, seconds of last use, flags, sizes of the parts that follow
ENDED, ANSWERED, GONE = 1, 2, 4  # flags; with GONE the reason stands behind the parts


def to_bytes(key: Key, record: Record, used_seconds: float) -> bytes:
    """The record of this sequence; used_seconds: its last use since 1970."""
    layout = _layout_bytes(record.layout)
    answer = b"" if record.answer is None else _answer_bytes(record.answer)
    gone = record.gone.encode()
    flags = ENDED * record.ended + ANSWERED * (record.answer is not None) + GONE * bool(gone)
    sizes = (len(layout), len(record.state), len(answer))
    head = HEAD.pack(0, record.version, record.step, used_seconds, flags, *sizes)
    rest = b"".join((head[4:], layout, record.state, answer, gone))
    return struct.pack("<I", _checksum(key, rest)) + rest


def from_bytes(key: Key, content: bytes) -> tuple[Record, float]:
    """The record, without the moment of its last use, and that moment in seconds since 1970.

    Raises ValueError when the bytes are damaged, or those of another sequence."""
    if len(content) < HEAD.size:
        raise ValueError(f"{len(content)} bytes")
    checksum, version, step, used, flags, *sizes = HEAD.unpack_from(content)
    ends = np.cumsum([HEAD.size, *sizes]).tolist()
    gone = content[ends[-1] :] if flags & GONE else b""
    if checksum != _checksum(key, content[4:]) or len(content) != ends[-1] + len(gone):
        raise ValueError("the checksum does not fit")
    layout, state, answer = (content[begin:end] for begin, end in pairwise(ends))
    kept = _answer(answer) if flags & ANSWERED else None
    return Record(version, step, state, _layout(layout), kept, 0, bool(flags & ENDED), gone.decode()), used


def _checksum(key: Key, rest: bytes) -> int:
    return zlib.crc32(rest, zlib.crc32(repr(tuple(key)).encode("utf-8", "surrogateescape")))


@lru_cache(64)
def _layout_bytes(layout: Layout) -> bytes:
    return json.dumps(layout).encode()


@lru_cache(64)
def _layout(content: bytes) -> Layout:
    return tuple((str(alias), str(text)) for alias, text in json.loads(content))


def _answer_bytes(answer: Answer) -> bytes:
    response = predict_pb2.PredictResponse()
    response.model_spec.version.value = answer.version
    for alias, array in answer.outputs.items():
        response.outputs[alias].CopyFrom(tensor_proto.encode(array, as_content=True))
    return bytes(response.SerializeToString())


def _answer(content: bytes) -> Answer:
    response = predict_pb2.PredictResponse.FromString(content)
    outputs = {alias: tensor_proto.decode(proto) for alias, proto in sorted(response.outputs.items())}
    return Answer(response.model_spec.version.value, outputs)
