"""A loader that loads nothing, and what tests ask of a manager that takes its turns when it is told to."""

from collections import defaultdict

from serving.errors import UnavailableError
from serving.states import StateMonitor


class Loaded:
    def __init__(self, name, version):
        self.name, self.version = name, version
        self.closed = False

    def close(self):
        self.closed = True


class History(StateMonitor):
    """Remembers every state of every version, and who was available at each moment."""

    def __init__(self):
        super().__init__()
        self.states = defaultdict(list)

    def publish(self, name, version, state, error=None):
        self.states[version].append(state)
        super().publish(name, version, state, error)


class Loads:
    """The loader: versions in `broken` fail; those in `slow` wait until they are let go."""

    def __init__(self):
        self.broken = set()
        self.slow = {}
        self.order = []

    def __call__(self, name, version, folder):
        self.order.append(version)
        if version in self.slow:
            self.slow[version].wait(30)
        if version in self.broken:
            raise UnavailableError(f"version {version} is broken")
        return Loaded(name, version)


def folders(*versions):
    return {version: f"/m/{version}" for version in versions}


def settle(manager):
    """Turns until there is nothing to do."""
    while manager.turn():
        pass


def version_of(manager, version=None):
    with manager.use("m", version) as loaded:
        return loaded.version
