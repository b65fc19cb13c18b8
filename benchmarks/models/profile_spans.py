"""What TensorFlow's profiler wrote: the spans of each thread, and the time that is a span's own."""

import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

HOST = "/host:CPU"  # the plane whose lines are threads
PICOSECONDS = 1e-12


class Span(NamedTuple):
    """Something that a thread did, in picoseconds."""

    name: str
    begin: int
    end: int


@dataclass
class Own:
    """How often, and how long without the spans within."""

    times: int = 0
    seconds: float = 0.0


def profiled(work: Callable[[], Any]) -> list[list[Span]]:
    """The spans of each thread while the work is done, each operation of TensorFlow and of XLA among them."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3, python_tracer_level=0)
        with tf.profiler.experimental.Profile(folder, options):
            work()
        return read(Path(folder))


def read(folder: Path) -> list[list[Span]]:
    """The spans of each thread from the one profile below the folder. Raises FileNotFoundError where there is none."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # no public name reads a profile

    paths = sorted(folder.rglob("*.xplane.pb"))
    if not paths:
        raise FileNotFoundError(f"no *.xplane.pb below {folder}; it expected what tf.profiler.experimental writes.")
    space = xplane_pb2.XSpace.FromString(paths[0].read_bytes())
    return [
        [
            Span(plane.event_metadata[event.metadata_id].name, event.offset_ps, event.offset_ps + event.duration_ps)
            for event in line.events
        ]
        for plane in space.planes
        if plane.name == HOST
        for line in plane.lines
    ]


def own_times(threads: Iterable[Iterable[Span]]) -> dict[str, Own]:
    """By name, over all threads: a span's length less that of the spans of its thread that lie within it."""
    found: dict[str, Own] = {}
    for spans in threads:
        around: list[Span] = []
        for span in sorted(spans, key=lambda one: (one.begin, -one.end)):
            while around and around[-1].end <= span.begin:
                around.pop()
            length = (span.end - span.begin) * PICOSECONDS
            own = found.setdefault(span.name, Own())
            own.times += 1
            own.seconds += length
            if around:
                found[around[-1].name].seconds -= length
            around.append(span)
    return found


def kind(name: str) -> str:
    """A name without what tells it from its like: lstm/concat_1:ConcatV2 is ConcatV2, XLA's MatMul_1.2 is MatMul."""
    of_tensorflow = re.search(r"(?<!:):(\w+)$", name)
    if of_tensorflow:
        return of_tensorflow[1]
    return re.sub(r"([._]\d+|\.clone)+$", "", name.split(": ")[0])
