"""What a call says about the model that it wants.

In TensorFlow Serving: apis/model.proto, model_servers/server_core.cc."""

from dataclasses import dataclass

from serving.errors import InvalidArgumentError
from serving.labels import Labels

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class ModelSpec:
    """A model by name, and at most one of version and label; neither means the highest AVAILABLE version."""

    name: str
    version: int | None = None
    label: str | None = None
    signature_name: str = ""

    @property
    def signature(self) -> str:
        """The signature's name, `serving_default` where none was given."""
        return self.signature_name or DEFAULT_SIGNATURE

    def resolved_version(self, labels: Labels) -> int | None:
        """The version asked for; None for the highest.

        Raises INVALID_ARGUMENT without a name and for an unknown label."""
        if not self.name:
            raise InvalidArgumentError("ModelSpec has no name specified.")
        return self.version if self.label is None else labels.version(self.name, self.label)
