"""What the server has seen of each version since it started. In TensorFlow Serving: core/servable_state_monitor.cc."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

from serving.errors import ServingError


class State(IntEnum):
    """States of a version, with the numbers of ModelVersionStatus.State."""

    UNKNOWN = 0
    START = 10  # managed, nothing done yet
    LOADING = 20  # also while it waits between two tries
    AVAILABLE = 30  # set after requests can be served
    UNLOADING = 40  # set before it stops being served; lasts until running requests have ended
    END = 50  # unloaded, or failed with an error


@dataclass(frozen=True)
class VersionState:
    """The state of one version; error is why its load failed."""

    state: State
    error: ServingError | None = None
    moment: int = 0  # how many states had been set, over all versions, when it was


class StateMonitor:
    """Remembers the last state of every version of every name. A dropped model stays, as END."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[int, VersionState]] = {}
        self._moment = 0
        self._changed = threading.Condition(threading.RLock())

    def publish(self, name: str, version: int, state: State, error: ServingError | None = None) -> None:
        """Sets the state of one version and wakes those who wait."""
        with self._changed:
            self._moment += 1
            self._seen.setdefault(name, {})[version] = VersionState(state, error, self._moment)
            self._changed.notify_all()

    def moment(self) -> int:
        """How many states have been set so far."""
        with self._changed:
            return self._moment

    def versions(self, name: str) -> dict[int, VersionState]:
        """Every version ever seen under this name, highest first; empty when there is none."""
        with self._changed:
            return dict(sorted(self._seen.get(name, {}).items(), reverse=True))

    def wait_until(self, condition: Callable[[], bool], timeout_seconds: float | None = None) -> bool:
        """Waits until the condition, which is asked at each change of a state, holds; says whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_seconds)

    def wake(self) -> None:
        """Lets those who wait ask their condition again."""
        with self._changed:
            self._changed.notify_all()

    def settled(
        self, names: Iterable[str], since: int = 0, kept: Callable[[str, int], bool] = lambda name, version: True
    ) -> bool:
        """Whether each name has at least one version that is AVAILABLE, or has come to its END after that moment.

        kept: whether a version that is AVAILABLE now is not about to be unloaded."""
        return all(
            any(
                _settled(seen, since) and (seen.state is not State.AVAILABLE or kept(name, version))
                for version, seen in self.versions(name).items()
            )
            for name in names
        )

    def failures(self, names: Iterable[str], since: int = 0) -> list[tuple[str, int, ServingError]]:
        """Names whose highest version that is settled ended with an error: (name, version, error)."""
        found = []
        for name in names:
            settled = [(version, seen) for version, seen in self.versions(name).items() if _settled(seen, since)]
            if settled and settled[0][1].error is not None:
                found.append((name, settled[0][0], settled[0][1].error))
        return found


def _settled(seen: VersionState, since: int) -> bool:
    return seen.state is State.AVAILABLE or (seen.state is State.END and seen.moment > since)
