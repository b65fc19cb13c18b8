import threading
import time

import pytest

from serving.errors import NotFoundError
from serving.states import State
from serving.version_policy import resource_preserving
from tests.serving.asking import wait_until
from tests.serving.manager.by_hand import folders, settle, version_of

START, LOADING, AVAILABLE, UNLOADING, END = (
    State.START, State.LOADING, State.AVAILABLE, State.UNLOADING, State.END,
)  # fmt: skip


def test_a_wanted_version_goes_through_start_and_loading_to_available(make):
    manager = make()
    manager.aspire("m", folders(1))
    settle(manager)
    assert manager.states.states[1] == [START, LOADING, AVAILABLE]
    assert version_of(manager) == 1
    assert manager.available("m") == [1]


def test_a_call_without_a_version_gets_the_highest_that_is_available(make, loads):
    manager = make()
    loads.broken.add(3)
    manager.aspire("m", folders(1, 2, 3))
    settle(manager)
    assert loads.order == [3, 3, 2, 1]  # the highest first, tried again
    assert version_of(manager) == 2
    assert version_of(manager, 1) == 1


@pytest.mark.parametrize(("version", "request_text"), [(None, "Latest(m)"), (7, "Specific(m, 7)")])
def test_a_call_for_a_version_that_is_not_there_says_which(make, version, request_text):
    manager = make()
    manager.aspire("m", folders(1) if version else {})
    settle(manager)
    with pytest.raises(NotFoundError) as error:
        version_of(manager, version)
    assert error.value.message == f"Servable not found for request: {request_text}"


def test_the_new_version_answers_before_the_old_one_is_unloaded(make):
    manager = make()
    manager.aspire("m", folders(1))
    settle(manager)
    manager.aspire("m", folders(2))
    assert manager.turn()
    assert manager.available("m") == [1, 2]
    assert version_of(manager) == 2
    settle(manager)
    assert manager.available("m") == [2]
    assert manager.states.states[1] == [START, LOADING, AVAILABLE, UNLOADING, END]


def test_with_resource_preserving_the_old_version_goes_first(make):
    manager = make(policy=resource_preserving)
    manager.aspire("m", folders(1))
    settle(manager)
    manager.aspire("m", folders(2))
    assert manager.turn()
    assert manager.available("m") == []
    settle(manager)
    assert manager.available("m") == [2]


def test_a_broken_version_leaves_the_good_one_up_and_is_not_tried_for_ever(make, loads, clock):
    manager = make()
    loads.broken.add(2)
    manager.aspire("m", folders(1))
    settle(manager)
    manager.aspire("m", folders(2))
    settle(manager)
    manager.aspire("m", folders(2))
    settle(manager)
    assert loads.order == [1, 2, 2]
    assert clock.waits == [60_000_000]
    assert version_of(manager) == 1
    ended = manager.states.versions("m")[2]
    assert (ended.state, ended.error.status) == (END, "UNAVAILABLE: version 2 is broken")


def test_a_broken_version_is_tried_again_when_it_is_wanted_anew(make, loads):
    manager = make()
    loads.broken.add(2)
    manager.aspire("m", folders(2))
    settle(manager)
    manager.aspire("m", {})
    settle(manager)
    loads.broken.clear()
    manager.aspire("m", folders(2))
    settle(manager)
    assert version_of(manager) == 2


def test_an_unload_waits_for_the_calls_that_run_and_takes_no_new_ones(make):
    manager = make(num_unload_threads=1)
    manager.aspire("m", folders(1))
    settle(manager)
    with manager.use("m") as loaded:
        manager.aspire("m", {})
        settle(manager)
        wait_until(lambda: manager.states.versions("m")[1].state is UNLOADING)
        wait_until(lambda: manager.available("m") == [])
        with pytest.raises(NotFoundError):
            version_of(manager, 1)
        assert not loaded.closed
    wait_until(lambda: manager.states.versions("m")[1].state is END)
    assert loaded.closed


def test_a_version_wanted_again_while_it_unloads_is_loaded_anew_afterwards(make, loads):
    manager = make(num_unload_threads=1)
    manager.aspire("m", folders(1))
    settle(manager)
    with manager.use("m"):
        manager.aspire("m", {})
        settle(manager)
        manager.aspire("m", folders(1))
        settle(manager)
        assert loads.order == [1]
    wait_until(lambda: manager.turn() or loads.order == [1, 1])
    settle(manager)
    assert version_of(manager) == 1
    assert END not in manager.states.states[1], "who waits for it would take it for settled"


def test_a_version_wanted_again_before_it_was_unloaded_just_stays(make, loads):
    manager = make()
    manager.aspire("m", folders(1))
    settle(manager)
    manager.aspire("m", {})
    manager.aspire("m", folders(1))
    settle(manager)
    assert manager.available("m") == [1]
    assert loads.order == [1]
    assert manager.states.states[1] == [START, LOADING, AVAILABLE]


def test_a_version_dropped_while_it_loads_ends_cancelled(make, loads):
    manager = make(num_load_threads=1)
    loads.slow[1] = threading.Event()
    manager.aspire("m", folders(1))
    settle(manager)
    wait_until(lambda: loads.order == [1])
    manager.aspire("m", {})
    loads.slow[1].set()
    wait_until(lambda: manager.states.versions("m")[1].state is END)
    assert manager.states.versions("m")[1].error.status == "CANCELLED: Loading of servable cancelled"
    assert manager.available("m") == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_version_wanted_again_while_it_still_loads_is_loaded_anew_without_an_end(make, loads, fails):
    manager = make(num_load_threads=1)
    loads.slow[1], loads.broken = threading.Event(), {1} if fails else set()
    manager.aspire("m", folders(1))
    settle(manager)
    wait_until(lambda: loads.order == [1])
    manager.aspire("m", {})
    since = manager.states.moment()
    manager.aspire("m", folders(1))
    loads.slow[1].set()
    wait_until(lambda: manager.states.versions("m")[1].state is START)
    loads.broken = set()
    assert not manager.states.settled(["m"], since)
    settle(manager)
    wait_until(lambda: manager.states.settled(["m"], since))
    assert manager.states.failures(["m"], since) == []
    assert manager.states.states[1] == [START, LOADING, START, START, LOADING, AVAILABLE]
    assert loads.order == [1, 1]


def test_a_version_dropped_before_it_loads_never_loads(make, loads):
    manager = make()
    manager.aspire("m", folders(1, 2))
    manager.turn()
    manager.aspire("m", folders(2))
    settle(manager)
    assert loads.order == [2]
    assert manager.states.states[1] == [START, END]


def test_loads_in_threads_of_their_own_do_not_wait_for_each_other(make, loads):
    manager = make(num_load_threads=2)
    loads.slow[2] = threading.Event()
    manager.aspire("m", folders(1, 2))
    settle(manager)
    wait_until(lambda: manager.available("m") == [1])
    loads.slow[2].set()
    wait_until(lambda: manager.available("m") == [1, 2])


def test_other_threads_take_over_only_after_the_loads_begun_have_ended(make, loads):
    manager = make(num_load_threads=2)
    loads.slow[1] = threading.Event()
    manager.aspire("m", folders(1))
    settle(manager)
    changing = threading.Thread(target=manager.load_with_threads, args=(0,))
    changing.start()
    assert manager.available("m") == []
    loads.slow[1].set()
    changing.join(30)
    assert manager.available("m") == [1]


def test_a_broken_version_of_one_model_does_not_disturb_another(make, loads):
    manager = make()
    loads.broken.add(7)
    manager.aspire("bad", folders(7))
    manager.aspire("m", folders(1))
    settle(manager)
    assert version_of(manager) == 1
    assert manager.states.versions("bad")[7].state is END


def test_the_loop_does_all_this_by_itself(make):
    manager = make()
    manager.start()
    manager.aspire("m", folders(1))
    wait_until(lambda: manager.available("m") == [1])
    manager.aspire("m", folders(2))
    wait_until(lambda: manager.available("m") == [2])


def test_a_version_is_kept_as_long_as_it_is_served_and_wanted(make):
    manager = make()
    manager.aspire("m", folders(1))
    assert not manager.keeps("m", 1)
    settle(manager)
    assert manager.keeps("m", 1)
    manager.aspire("m", {})
    assert not manager.keeps("m", 1), "it is AVAILABLE still, but not for long"
    manager.aspire("m", folders(1))
    assert manager.keeps("m", 1)


def test_stop_unloads_what_is_up(make):
    manager = make()
    manager.start()
    manager.aspire("m", folders(1))
    wait_until(lambda: manager.available("m") == [1])
    with manager.use("m") as loaded:
        pass
    manager.stop()
    assert loaded.closed
    assert manager.states.states[1][-1] is END


def test_there_is_never_a_gap_for_calls_while_versions_swap(make):
    manager = make(num_load_threads=1, num_unload_threads=1)
    manager.start()
    manager.aspire("m", folders(1))
    wait_until(lambda: manager.available("m") == [1])
    errors, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            with manager.use("m") as loaded:
                if loaded.closed:
                    errors.append(loaded.version)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in range(2, 50):
        manager.aspire("m", folders(version))
        wait_until(lambda v=version: manager.available("m") == [v])
    stop.set()
    for thread in threads:
        thread.join(30)
    assert errors == []


def test_the_grace_time_of_a_stop_is_that_of_all_versions_together(make):
    manager = make()
    names = [f"m{number}" for number in range(40)]
    for name in names:
        manager.aspire(name, folders(1))
    settle(manager)
    held = [manager.hold(name) for name in names]
    began = time.monotonic()
    manager.stop(1.0)
    seconds, closed = time.monotonic() - began, [harness.loaded.closed for harness in held]
    for harness in held:
        harness.leave()
    assert seconds < 30  # not a second for each
    assert not any(closed)
