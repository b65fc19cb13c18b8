"""What the manager does next for one model. In TensorFlow Serving: core/availability_preserving_policy.cc,
core/resource_preserving_policy.cc."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """How far the manager is with a version."""

    NEW = "new"
    LOADING = "loading"
    READY = "ready"
    UNLOADING = "unloading"
    ENDED = "ended"  # unloaded
    FAILED = "failed"  # could not be loaded


@dataclass(frozen=True)
class Snapshot:
    """A version as a policy sees it."""

    version: int
    stage: Stage
    wanted: bool


@dataclass(frozen=True)
class Action:
    """Load or unload this version."""

    load: bool
    version: int


Policy = Callable[[Iterable[Snapshot]], Action | None]


def availability_preserving(versions: Iterable[Snapshot]) -> Action | None:
    """Keeps a version up: an unwanted one goes only when a wanted one is ready, when none is wanted, or when more than
    one unwanted version is up; the lowest goes first, the highest wanted one comes first."""
    versions = list(versions)
    unwanted_up = [v.version for v in versions if not v.wanted and v.stage is Stage.READY]
    wanted = [v for v in versions if v.wanted]
    may_unload = not wanted or any(v.stage is Stage.READY for v in wanted) or len(unwanted_up) > 1
    if unwanted_up and may_unload:
        return Action(False, min(unwanted_up))
    return _load_highest(wanted)


def resource_preserving(versions: Iterable[Snapshot]) -> Action | None:
    """Never holds more than is wanted: all unwanted versions go first, and a gap is accepted."""
    versions = list(versions)
    unwanted = [v for v in versions if not v.wanted and v.stage in (Stage.LOADING, Stage.READY, Stage.UNLOADING)]
    up = [v.version for v in unwanted if v.stage is Stage.READY]
    if up:
        return Action(False, min(up))
    return None if unwanted else _load_highest(v for v in versions if v.wanted)


def _load_highest(wanted: Iterable[Snapshot]) -> Action | None:
    new = [v.version for v in wanted if v.stage is Stage.NEW]
    return Action(True, max(new)) if new else None


POLICIES: dict[str, Policy] = {
    "availability_preserving": availability_preserving,
    "resource_preserving": resource_preserving,
}
