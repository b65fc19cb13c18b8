"""Names for versions: `stable`, `canary`.

In TensorFlow Serving: model_servers/server_core.cc, UpdateModelVersionLabelMap."""

from collections.abc import Callable, Iterable, Mapping

from serving.errors import FailedPreconditionError, InvalidArgumentError, UnavailableError
from serving.model_config import ModelConfig

Available = Callable[[str], Iterable[int]]  # model name -> its AVAILABLE versions


class Labels:
    """The map label -> version of each model. It is replaced as a whole, by each accepted configuration."""

    def __init__(self, available: Available, allow_unavailable: bool = False) -> None:
        self._available = available
        self._allow_unavailable = allow_unavailable
        self._versions: dict[str, Mapping[str, int]] | None = None

    def replace(self, models: Iterable[ModelConfig]) -> None:
        """Takes the labels of these models, or raises FAILED_PRECONDITION and keeps the old ones.

        A label may only point to an AVAILABLE version; with allow_unavailable a label that is new, or points where it
        pointed before, may point anywhere."""
        versions: dict[str, Mapping[str, int]] = {}
        for model in models:
            for label, version in model.labels.items():
                self._check(model.name, label, version)
            if model.labels:
                versions[model.name] = dict(model.labels)
        self._versions = versions

    def _check(self, name: str, label: str, version: int) -> None:
        before = (self._versions or {}).get(name, {}).get(label, version)
        if self._allow_unavailable and before == version:
            return
        if version not in self._available(name):
            raise FailedPreconditionError(
                f"Request to assign label to version {version} of model {name}, which is not currently available for "
                "inference"
            )

    def all(self) -> dict[str, Mapping[str, int]]:
        """Model name -> label -> version."""
        return dict(self._versions or {})

    def version(self, name: str, label: str) -> int:
        """The version that the label stands for; it need not be loaded.

        Raises INVALID_ARGUMENT for an unknown label, UNAVAILABLE as long as no list of models has been applied."""
        if self._versions is None:
            raise UnavailableError(f"Model labels does not init yet.{label}")
        try:
            return self._versions[name][label]
        except KeyError:
            raise InvalidArgumentError(f"Unrecognized servable version label: {label}") from None
