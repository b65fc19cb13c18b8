"""Which models should be served: the entries of a ModelServerConfig, checked.

In TensorFlow Serving: config/model_server_config.proto, model_servers/server_core.cc."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tensorflow_serving.config import model_server_config_pb2
from tensorflow_serving.config.file_system_storage_path_source_pb2 import FileSystemStoragePathSourceConfig

from serving.errors import InvalidArgumentError

ModelServerConfig = model_server_config_pb2.ModelServerConfig
PLATFORM = "tensorflow"
OTHER_TYPE = 2  # ModelType.OTHER


@dataclass(frozen=True)
class VersionPolicy:
    """Which of the versions found are wanted: the `latest` n, `all`, or the `specific` ones."""

    kind: str = "latest"
    latest: int = 1
    specific: frozenset[int] = frozenset()


@dataclass(frozen=True)
class ModelConfig:
    """One model to serve."""

    name: str
    base_path: str
    model_platform: str = PLATFORM
    model_type: int = 0  # the older way to name the platform
    policy: VersionPolicy = VersionPolicy()
    labels: Mapping[str, int] = field(default_factory=dict)


def single(name: str, base_path: str) -> Any:
    """The ModelServerConfig that --model_name and --model_base_path stand for."""
    config = ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=base_path, model_platform=PLATFORM)
    return config


def models(config: Any) -> list[ModelConfig]:
    """The entries of a ModelServerConfig; raises INVALID_ARGUMENT for a name listed twice and a relative base path.

    Platforms are not looked at: `check_platforms` does that, at a later step of a reload."""
    found: dict[str, ModelConfig] = {}
    for entry in config.model_config_list.config:
        if entry.name in found:
            raise InvalidArgumentError(f"Illegal to list model {entry.name} multiple times in config list")
        found[entry.name] = ModelConfig(
            entry.name,
            entry.base_path,
            entry.model_platform,
            entry.model_type,
            _policy(entry),
            dict(entry.version_labels),
        )
    for model in found.values():
        if not re.match(r"/|[a-zA-Z][a-zA-Z0-9+.-]*://", model.base_path):
            raise InvalidArgumentError(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )
    return list(found.values())


def platform(model: ModelConfig) -> str:
    """The platform that the entry asks for; raises INVALID_ARGUMENT when it asks for none, two, or one not served."""
    if model.model_type and model.model_platform:
        raise InvalidArgumentError(
            "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform, "
            f"model name is {model.name}"
        )
    if not model.model_type and not model.model_platform:
        raise InvalidArgumentError(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            f"ModelServerConfig::model_platform, model name is {model.name}"
        )
    if model.model_type == OTHER_TYPE:
        raise InvalidArgumentError(f"ModelServerConfig::model_type choice {model.model_type} not supported.")
    return PLATFORM if model.model_type else model.model_platform


def check_platforms(wanted: Iterable[ModelConfig]) -> None:
    """Raises INVALID_ARGUMENT for an entry whose platform is not served."""
    for model in wanted:
        if platform(model) != PLATFORM:
            raise InvalidArgumentError(f"Model {model.name} requests unsupported platform {platform(model)}")


def check_platform_changes(before: Iterable[ModelConfig], wanted: Iterable[ModelConfig]) -> None:
    """Raises INVALID_ARGUMENT when a name that was served already comes with another platform."""
    platforms = {model.name: platform(model) for model in before}
    for model in wanted:
        old = platforms.get(model.name)
        if old is not None and old != platform(model):
            raise InvalidArgumentError(
                f"Illegal to change a model's platform. For model {model.name} platform was {old} and new platform "
                f"requested is {platform(model)}"
            )


def _policy(entry: Any) -> VersionPolicy:
    policy: FileSystemStoragePathSourceConfig.ServableVersionPolicy = entry.model_version_policy
    kind = policy.WhichOneof("policy_choice") or "latest"
    return VersionPolicy(kind, policy.latest.num_versions or 1, frozenset(policy.specific.versions))
