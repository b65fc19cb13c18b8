"""The store in the server's memory: lost with the server."""

import threading
from collections import Counter
from collections.abc import Sequence

from serving.errors import ServingError
from serving.sequences import errors
from serving.sequences.patience import FOREVER, Patience
from serving.sequences.store import Change, Key, Record, Store


class _Model:
    """The sequences of one model, those longest unused first."""

    def __init__(self) -> None:
        self.live: dict[Key, Record] = {}
        self.ended: dict[Key, Record] = {}
        self.versions: Counter[int] = Counter()  # of live sequences and of reserved ones
        self.reserved = 0
        self.nbytes = 0


class MemoryStore(Store):
    """Records in dictionaries."""

    writes_at_once = True

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._models: dict[str, _Model] = {}

    def read(self, key: Key, patience: Patience = FOREVER) -> Record | None:
        """The record; None when there is none."""
        model = self._models.get(key.model)
        if model is None:
            return None
        found = model.live.get(key)
        return found if found is not None else model.ended.get(key)

    def write(self, changes: Sequence[Change]) -> list[ServingError | None]:
        """Makes the changes; none fails."""
        with self._lock:
            for change in changes:
                self._put(self._model(change.key.model), change.key, change.record)
        return [None] * len(changes)

    def _model(self, name: str) -> _Model:
        model = self._models.get(name)
        if model is None:
            model = self._models[name] = _Model()
        return model

    def _put(self, model: _Model, key: Key, record: Record | None) -> None:
        before = model.live.pop(key, None)
        if before is not None:
            model.nbytes -= before.nbytes
            self._count(model, before.version, -1)
        elif model.ended and (before := model.ended.pop(key, None)) is not None:
            model.nbytes -= before.nbytes
        if record is None:
            return
        model.nbytes += record.nbytes
        if record.ended:
            model.ended[key] = record
        else:
            model.live[key] = record  # at the end: in the order of their last use
            self._count(model, record.version, 1)

    @staticmethod
    def _count(model: _Model, version: int, by: int) -> None:
        model.versions[version] += by
        if not model.versions[version]:
            del model.versions[version]

    def reserve(self, key: Key, version: int, most: int) -> None:
        """Counts a sequence that is about to start; raises UNAVAILABLE when there are as many as that already."""
        with self._lock:
            model = self._model(key.model)
            if len(model.live) + model.reserved >= most:
                raise errors.too_many()
            model.reserved += 1
            self._count(model, version, 1)

    def unreserve(self, key: Key, version: int) -> None:
        """The start has failed, or was written."""
        with self._lock:
            model = self._model(key.model)
            model.reserved -= 1
            self._count(model, version, -1)

    def live(self, model: str, version: int | None = None) -> int:
        """Sequences of the model, or of one of its versions."""
        with self._lock:
            found = self._models.get(model)
            if found is None:
                return 0
            return len(found.live) + found.reserved if version is None else found.versions[version]

    def models(self) -> list[str]:
        """The models that have, or had, sequences."""
        return list(self._models)

    def nbytes(self, model: str | None = None) -> int:
        """Bytes of all records, or of those of a model."""
        with self._lock:
            return sum(found.nbytes for name, found in self._models.items() if model in (None, name))

    def unused_since(self, model: str, micros: int, ended: bool = False) -> list[Key]:
        """Sequences whose last successful call was before that moment."""
        keys: list[Key] = []
        with self._lock:
            found = self._models.get(model)
            if found is None:
                return keys
            for key, record in (found.ended if ended else found.live).items():
                if record.used_micros >= micros:
                    break
                keys.append(key)
        return keys
