"""The calls that the server answers, in terms of numpy and of the messages that stand for themselves."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from serving.calls import status
from serving.calls.inference import Inference
from serving.calls.model_spec import ModelSpec
from serving.core import ServerCore
from serving.errors import NotFoundError
from serving.harness import Harness
from serving.observing import CURRENT
from serving.sequences.sequences import Sequences
from serving.servable import Servable
from serving.server_metrics import ServerMetrics
from serving.signature import Signature


class Calls(Inference):
    """Finds the model of a call and runs it."""

    def __init__(
        self, core: ServerCore, metrics: ServerMetrics, sequences: Sequences, check_method_name: bool = False
    ) -> None:
        super().__init__(metrics, check_method_name)
        self.sequences = sequences
        self._core = core

    @contextmanager
    def model(self, spec: ModelSpec) -> Iterator[Servable]:
        """The version that the spec means; it stays loaded inside the `with`.

        Raises INVALID_ARGUMENT for a spec that cannot be understood, NOT_FOUND when it is not AVAILABLE."""
        request = CURRENT.get()
        if request is not None:
            request.spec = spec
        with self._core.manager.use(spec.name, spec.resolved_version(self._core.labels)) as servable:
            if request is not None:
                request.version = servable.version
            yield servable

    def hold(self, spec: ModelSpec) -> Harness:
        """As model(), without a block, and unobserved: the version stays loaded until it is left."""
        return self._core.manager.hold(spec.name, spec.resolved_version(self._core.labels))

    def status(self, spec: ModelSpec) -> Any:
        """The GetModelStatusResponse; a label is not looked at."""
        return status.response(self._core.manager.states, spec.name, spec.version)

    def metadata(self, spec: ModelSpec) -> Any:
        """The GetModelMetadataResponse with the signatures of the version, as they stand in its file."""
        with self.model(spec) as servable:
            return status.metadata(servable)

    def loaded(self) -> dict[str, dict[int, Mapping[str, Signature]]]:
        """Name -> version -> signatures by name, of all that is AVAILABLE."""
        manager = self._core.manager
        found: dict[str, dict[int, Mapping[str, Signature]]] = {}
        for name in manager.names():
            for version in manager.available(name):
                with suppress(NotFoundError), manager.use(name, version) as servable:  # it may have gone meanwhile
                    found.setdefault(name, {})[version] = servable.signatures
        return found

    def labels(self) -> dict[str, Mapping[str, int]]:
        """Name -> label -> version, as the configuration has them."""
        return self._core.labels.all()

    def reload(
        self, config: Any, metric_names: Sequence[str] = (), gone: Callable[[], bool] = lambda: False
    ) -> dict[str, int]:
        """Puts a ModelServerConfig in force; raises ServingError when it cannot. gone: whether the caller has gone.

        Returns by how much each of these metrics grew meanwhile; 0 for one that is not there."""
        before = {name: self._metrics.first(name) for name in metric_names}
        self._core.reload(config, gone=gone)
        return {name: self._metrics.first(name) - count for name, count in before.items()}
