import pytest

from serving.harness import Retries
from serving.manager import Manager
from tests.serving.manager.by_hand import History, Loads


@pytest.fixture
def loads():
    return Loads()


@pytest.fixture
def make(loads, clock):
    """A manager that takes a turn only when it is told to, unless it is started."""
    made = []

    def manager(**options):
        options = {"retries": Retries(1, 60_000_000), "clock": clock} | options
        made.append(Manager(loads, History(), **options))
        return made[-1]

    yield manager
    for event in loads.slow.values():
        event.set()
    for one in made:
        one.stop()
