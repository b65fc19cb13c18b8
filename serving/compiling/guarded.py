"""The compiled form of a signature whose shapes hang on values, such as those of words: they show as it runs."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from serving.compiling.rewriting import Rewritten
from serving.servable import Servable

CALLS_BEFORE = 3  # of one row of shapes, until it is compiled
CALLS_AGAIN = 1000  # after so many more it is looked at again: other work may have disturbed the comparison
MOST_SHAPES = 32  # of one region; the least used go
MOST_COUNTED = 1024
Feeds = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Row:
    """The shapes of one run of a region."""

    region: int
    shapes: tuple[int, ...]


class Guarded:
    """Runs regions compiled whose shapes are known, all others plainly."""

    def __init__(self, inner: Servable, rewritten: Rewritten) -> None:
        self.rewritten = rewritten
        self._inner = inner
        self._fetches = [*rewritten.fetches, *(guard.shapes for guard in rewritten.guards)]
        self._known: list[OrderedDict[Row, None]] = [OrderedDict() for _ in rewritten.guards]
        self._calls: OrderedDict[Row, int] = OrderedDict()
        self._lock = threading.Lock()
        self._tables = [self._table(region) for region in range(len(rewritten.guards))]

    def run(self, feeds: Feeds, timeout_ms: int | None) -> tuple[list[np.ndarray], list[Row]]:
        """The outputs of a call, and which shapes have now been seen often enough to be compiled."""
        outputs, rows = self._run(feeds, self._tables, timeout_ms)
        return outputs, [row for row in rows if self._is_due(row)]

    def trial(self, feeds: Feeds, row: Row | None = None, timeout_ms: int | None = None) -> list[np.ndarray]:
        """As `run`, with one more row known, which is compiled thereby, and no account of it."""
        tables = list(self._tables)
        if row is not None:
            tables[row.region] = np.concatenate([tables[row.region], np.array([row.shapes], np.int32)])
        return self._run(feeds, tables, timeout_ms)[0]

    def shapes(self, feeds: Feeds) -> list[Row]:
        """What a call shows."""
        return self._run(feeds, self._tables, None)[1]

    def know(self, row: Row) -> None:
        """From now on these shapes run compiled."""
        with self._lock:
            known = self._known[row.region]
            known[row] = None
            while len(known) > MOST_SHAPES:
                known.popitem(last=False)
            self._tables[row.region] = self._table(row.region)

    @property
    def knows(self) -> int:
        """How many rows of shapes run compiled."""
        return sum(map(len, self._known))

    def _run(
        self, feeds: Feeds, tables: list[np.ndarray], timeout_ms: int | None
    ) -> tuple[list[np.ndarray], list[Row]]:
        guards = self.rewritten.guards
        known = {guard.known: table for guard, table in zip(guards, tables, strict=True)}
        found = self._inner.run({**feeds, **known}, self._fetches, timeout_ms)
        count = len(self.rewritten.fetches)
        return found[:count], [Row(i, tuple(shapes.tolist())) for i, shapes in enumerate(found[count:])]

    def _is_due(self, row: Row) -> bool:
        with self._lock:
            known = self._known[row.region]
            if row in known:
                known.move_to_end(row)
                return False
            self._calls[row] = calls = self._calls.get(row, 0) + 1
            self._calls.move_to_end(row)
            if len(self._calls) > MOST_COUNTED:
                self._calls.popitem(last=False)
            return calls == CALLS_BEFORE or not calls % CALLS_AGAIN

    def _table(self, region: int) -> np.ndarray:
        rows = [row.shapes for row in self._known[region]]
        return np.array(rows, np.int32).reshape(len(rows), self.rewritten.guards[region].width)
