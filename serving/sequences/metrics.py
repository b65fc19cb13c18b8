"""What the server counts of its sequences."""

from collections.abc import Callable

from serving.errors import ServingError
from serving.metrics import Counter, Gauge, Histogram, Registry
from serving.sequences.store import Store

PREFIX = "/serving/sequence/"
BATCHES = [2.0**i for i in range(14)]
END, IDLE, VERSION = "end", "idle", "version"  # why a sequence has ended


class SequenceMetrics:
    """Shown once there are sequences: who has none sees a stock server."""

    def __init__(self, registry: Registry, store: Store) -> None:
        model = ["model_name"]
        self.started = Counter(f"{PREFIX}started", model, shown_empty=False)
        self.ended = Counter(f"{PREFIX}ended", [*model, "reason"], shown_empty=False)
        self.steps = Counter(f"{PREFIX}steps", model, shown_empty=False)
        self.repeats = Counter(f"{PREFIX}repeats", model, shown_empty=False)
        self.batch_size = Histogram(f"{PREFIX}batch_size", model, BATCHES, shown_empty=False)

        def of_models(count: Callable[[str], int]) -> Callable[[], dict[tuple[str, ...], float]]:
            return lambda: _counted(store, count)

        registry.add(Gauge(f"{PREFIX}active", model, of_models(store.live)))
        registry.add(Gauge(f"{PREFIX}state_bytes", model, of_models(store.nbytes)))
        for metric in (self.started, self.ended, self.steps, self.repeats, self.batch_size):
            registry.add(metric)


def _counted(store: Store, count: Callable[[str], int]) -> dict[tuple[str, ...], float]:
    """Nothing while the store does not answer."""
    try:
        return {(name,): count(name) for name in store.models()}
    except ServingError:
        return {}
