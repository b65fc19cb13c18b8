"""Versions that are not wanted any more, or again, but needed: by sequences, say, that an earlier server began."""

import threading

from serving.states import State
from tests.serving.asking import wait_until
from tests.serving.manager.by_hand import folders, settle, version_of

START, LOADING, AVAILABLE, UNLOADING, END = (
    State.START, State.LOADING, State.AVAILABLE, State.UNLOADING, State.END,
)  # fmt: skip


def test_a_version_that_is_only_needed_comes_after_the_wanted_one_and_is_never_the_default(make, loads):
    held = {1}
    manager = make(holds=lambda name, version, since: version in held)
    manager.aspire("m", folders(0), folders(0, 1))
    assert manager.takes_up(["m"])
    settle(manager)
    assert loads.order == [0, 1]
    assert manager.available("m") == [0, 1]
    assert not manager.takes_up(["m"])
    assert (version_of(manager), version_of(manager, 1)) == (0, 1)
    assert not manager.takes_sequences("m", 1)
    manager.aspire("m", folders(0))
    settle(manager)
    assert manager.available("m") == [0, 1]
    held.clear()
    settle(manager)
    assert manager.available("m") == [0]
    assert manager.states.states[1] == [START, LOADING, AVAILABLE, UNLOADING, END]
    assert [manager.served("m", version) for version in (0, 1, 2)] == [True, True, False]


def test_a_version_that_is_only_needed_and_cannot_be_loaded_is_done_without(make, loads):
    manager = make(holds=lambda name, version, since: True)
    loads.broken.add(1)
    manager.aspire("m", folders(2), folders(1))
    settle(manager)
    assert loads.order == [2, 1]
    assert manager.available("m") == [2]
    assert not manager.states.failures(["m"])
    assert not manager.served("m", 1)
    loads.broken.clear()
    manager.aspire("m", folders(1))
    settle(manager)
    assert version_of(manager) == 1


def test_a_version_that_is_only_needed_stays_when_it_is_wanted_after_all(make, loads):
    manager = make(holds=lambda name, version, since: True, num_load_threads=1)
    loads.slow[1] = threading.Event()
    manager.aspire("m", folders(2), folders(1))
    wait_until(lambda: (manager.turn(), loads.order == [2, 1])[1])
    manager.aspire("m", folders(1, 2))
    loads.slow[1].set()
    wait_until(lambda: manager.available("m") == [1, 2])
    assert manager.takes_sequences("m", 1)
