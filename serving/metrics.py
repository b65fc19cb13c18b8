"""Counters and histograms, and their text for Prometheus. In TensorFlow Serving: util/prometheus_exporter.cc.

No client library: they print HELP lines, suffixes and names that TensorFlow Serving's dashboards do not know."""

import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

Labels = tuple[str, ...]

MOST_CELLS, LONGEST_LABEL = 1000, 256  # callers choose model names: what they send must not fill the memory
OTHERS = "(others)"  # the first label of what is beyond these


class Counter:
    """Counts, for each combination of label values."""

    kind = "counter"

    def __init__(self, name: str, labels: Sequence[str] = (), *, shown_empty: bool = True) -> None:
        """name: TensorFlow's, `/tensorflow/serving/...`; shown_empty: print the TYPE line before the first sample."""
        self.name = name
        self.labels = tuple(labels)
        self.shown_empty = shown_empty
        self._lock = threading.Lock()
        self._counts: dict[Labels, int] = {}

    def add(self, *values: str, number: int = 1) -> None:
        """Counts up; values: one for each label. New values beyond `MOST_CELLS` count as `OTHERS`."""
        with self._lock:
            if values not in self._counts and self._is_beyond(values):
                values = (OTHERS, *values[1:])
            self._counts[values] = self._counts.get(values, 0) + number

    def _is_beyond(self, values: Labels) -> bool:
        return bool(values) and (len(self._counts) >= MOST_CELLS or len(values[0]) > LONGEST_LABEL)

    def first(self) -> int:
        """The first cell's count; 0 without any."""
        with self._lock:
            return next(iter(self._counts.values()), 0)

    def lines(self, name: str) -> Iterator[str]:
        """The samples; name: as Prometheus has it."""
        with self._lock:
            cells = list(self._counts.items())
        for values, count in cells:
            yield f"{name}{{{_pairs(self.labels, values)}}} {count}"


class Histogram:
    """Counts values in buckets, for each combination of label values.

    A value equal to a bound counts in the next bucket."""

    kind = "histogram"

    def __init__(self, name: str, labels: Sequence[str], bounds: Sequence[float], *, shown_empty: bool = True) -> None:
        """name: TensorFlow's; bounds: increasing, without the last, infinite one."""
        self.name = name
        self.labels = tuple(labels)
        self.shown_empty = shown_empty
        self._bounds = tuple(bounds)
        self._printed = [f"{bound:g}" for bound in bounds] + ["+Inf"]
        self._lock = threading.Lock()
        self._cells: dict[Labels, list[float]] = {}  # a count for each bucket, and the sum

    def observe(self, value: float, *labels: str) -> None:
        """Adds one value; labels: one for each label."""
        with self._lock:
            cell = self._cells.get(labels)
            if cell is None:
                cell = self._cells[labels] = [0] * (len(self._bounds) + 1) + [0.0]
            cell[bisect_right(self._bounds, value)] += 1
            cell[-1] += value

    def first(self) -> int:
        """Histograms have no number that a reload reports."""
        return 0

    def lines(self, name: str) -> Iterator[str]:
        """The samples; name: as Prometheus has it."""
        with self._lock:
            cells = [(values, list(cell)) for values, cell in self._cells.items()]
        for values, cell in cells:
            pairs = _pairs(self.labels, values)
            before = f"{pairs}," if pairs else ""
            count = 0
            for bound, number in zip(self._printed, cell, strict=False):
                count += int(number)
                yield f'{name}_bucket{{{before}le="{bound}"}} {count}'
            yield f"{name}_sum{{{pairs}}} {cell[-1]:g}"
            yield f"{name}_count{{{pairs}}} {count}"


class Gauge:
    """A number that goes up and down, read when it is asked for."""

    kind = "gauge"
    shown_empty = False

    def __init__(self, name: str, labels: Sequence[str], read: Callable[[], Mapping[Labels, float]]) -> None:
        """name: TensorFlow's; read: gives the numbers by label values."""
        self.name = name
        self.labels = tuple(labels)
        self._read = read

    def first(self) -> int:
        """Gauges have no number that a reload reports."""
        return 0

    def lines(self, name: str) -> Iterator[str]:
        """The samples; name: as Prometheus has it."""
        for values, number in self._read().items():
            yield f"{name}{{{_pairs(self.labels, values)}}} {number:g}"


Metric = Counter | Gauge | Histogram


class Registry:
    """All metrics of a server."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = {metric.name: metric for metric in metrics}

    def add(self, metric: Metric) -> None:
        """One more metric, shown after those before."""
        self._metrics[metric.name] = metric

    def first(self, name: str) -> int:
        """The value of the metric's first cell, by TensorFlow's name; 0 for one that is not there."""
        metric = self._metrics.get(name)
        return 0 if metric is None else metric.first()

    def text(self) -> str:
        """What Prometheus reads."""
        lines: list[str] = []
        for metric in self._metrics.values():
            name = prometheus_name(metric.name)
            samples = list(metric.lines(name))
            if samples or metric.shown_empty:
                lines += [f"# TYPE {name} {metric.kind}", *samples]
        return "\n".join(lines) + "\n"


def prometheus_name(name: str) -> str:
    """`/tensorflow/serving/x` becomes `:tensorflow:serving:x`."""
    name = re.sub(r"[^a-zA-Z0-9_]", ":", name)
    return f"_{name}" if name[:1].isdigit() else name


def _pairs(labels: Labels, values: Labels) -> str:
    return ",".join(f'{_label_name(label)}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True))


def _label_name(label: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", label)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
