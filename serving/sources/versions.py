"""Which versions a base path holds, and which of them a policy wants.

In TensorFlow Serving: sources/storage_path/file_system_storage_path_source.cc."""

import logging
import os
import re

from serving.errors import ServingError, from_os
from serving.model_config import ModelConfig, VersionPolicy

log = logging.getLogger(__name__)
Folders = dict[int, str]  # version -> folder


def versions(model: ModelConfig) -> tuple[Folders, Folders]:
    """Those versions under the model's base path that its policy wants, and the others that are there.

    Raises NOT_FOUND when the base path is absent. Names that are no int64 are passed over."""
    try:
        names = os.listdir(model.base_path)
    except OSError as error:
        reason: ServingError = from_os(error, model.base_path)
        raise ServingError(
            f"Could not find base path {model.base_path} for servable {model.name} with error {reason.status}",
            reason.code,
        ) from error
    children: dict[int, list[str]] = {}
    for name in sorted(names):
        if (version := _version(name)) is not None:
            children.setdefault(version, []).append(name)
    if not children:
        log.warning(
            "No versions of servable %s found under base path %s. Did you forget to name your leaf directory as a "
            "number (eg. '/1/')?",
            model.name,
            model.base_path,
        )
    for version, same in children.items():
        if len(same) > 1:
            log.warning("Servable %s has version %d more than once: %s", model.name, version, ", ".join(same))
    wanted = {
        version: os.path.join(model.base_path, _one(children, version, model.policy))
        for version in _chosen(model.name, set(children), model.policy)
    }
    others = {version: same[-1] for version, same in children.items() if version not in wanted}
    return wanted, {version: os.path.join(model.base_path, name) for version, name in others.items()}


def _version(name: str) -> int | None:
    """The int64 that the name is, in the notation of absl's SimpleAtoi; None for any other name."""
    if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", name):
        return None
    number = int(name)
    return number if -(1 << 63) <= number < 1 << 63 else None


def _chosen(name: str, there: set[int], policy: VersionPolicy) -> list[int]:
    """The versions that the policy wants of those that are there."""
    if policy.kind == "all":
        return sorted(there)
    if policy.kind == "latest":
        return sorted(there)[-policy.latest :]
    if not policy.specific:
        log.warning("The specific version policy of servable %s lists no version: none is served.", name)
    for missing in sorted(policy.specific - there):
        log.warning("Version %d of servable %s, which was requested as a specific version, is absent.", missing, name)
    return sorted(policy.specific & there)


def _one(children: dict[int, list[str]], version: int, policy: VersionPolicy) -> str:
    """The child to use where several have the same number, as `1` and `0001` have."""
    same = children[version]
    if policy.kind == "all":
        return same[0]
    if policy.kind == "specific" and all(str(v) in children.get(v, ()) for v in policy.specific):
        return str(version)
    return same[-1]
