import threading

from serving.errors import InternalError
from serving.states import State, StateMonitor, VersionState


def test_states_have_the_numbers_of_the_api():
    from tensorflow_serving.apis import get_model_status_pb2

    assert {s.name: int(s) for s in State} == dict(get_model_status_pb2.ModelVersionStatus.State.items())


def test_versions_come_highest_first_with_their_last_state():
    states = StateMonitor()
    for version in (1, 3, 2):
        states.publish("m", version, State.START)
    states.publish("m", 1, State.END, InternalError("no"))
    assert list(states.versions("m")) == [3, 2, 1]
    assert states.versions("m")[1].error.message == "no"
    assert states.versions("m")[2] == VersionState(State.START, None, 3)
    assert states.versions("other") == {}


def test_a_name_is_settled_when_one_version_is_available_or_has_ended():
    states = StateMonitor()
    assert states.settled([])
    assert not states.settled(["m"])
    states.publish("m", 1, State.LOADING)
    assert not states.settled(["m"])
    states.publish("m", 2, State.AVAILABLE)
    assert states.settled(["m"])
    states.publish("m", 2, State.UNLOADING)
    states.publish("m", 1, State.END)
    assert states.settled(["m"])
    assert not states.settled(["m", "n"])


def test_what_ended_before_a_moment_does_not_settle_a_name_again():
    states = StateMonitor()
    states.publish("m", 7, State.END, InternalError("old"))
    states.publish("n", 1, State.AVAILABLE)
    since = states.moment()
    assert states.settled(["n"], since)
    assert not states.settled(["m"], since)
    assert states.failures(["m"], since) == []
    states.publish("m", 1, State.END, failed := InternalError("new"))
    assert states.settled(["m"], since)
    assert states.failures(["m"], since) == [("m", 1, failed)]


def test_only_the_highest_version_that_is_up_or_ended_is_a_failure():
    states = StateMonitor()
    failed = InternalError("no")
    states.publish("a", 1, State.END, failed)
    states.publish("a", 2, State.AVAILABLE)
    states.publish("b", 1, State.AVAILABLE)
    states.publish("b", 2, State.END, failed)
    states.publish("b", 3, State.LOADING)
    assert states.failures(["a", "b"]) == [("b", 2, failed)]


def test_a_wait_ends_when_a_state_makes_its_condition_true():
    states = StateMonitor()
    waits = threading.Thread(target=lambda: states.wait_until(lambda: states.settled(["m"])))
    waits.start()
    states.publish("m", 1, State.AVAILABLE)
    waits.join(30)
    assert not waits.is_alive()
    assert not states.wait_until(lambda: False, 0.001)


def test_a_version_that_is_about_to_go_does_not_settle_its_name():
    states = StateMonitor()
    states.publish("m", 1, State.AVAILABLE)
    assert states.settled(["m"])
    assert not states.settled(["m"], 0, lambda name, version: False)
    assert states.settled(["m"], 0, lambda name, version: (name, version) == ("m", 1))
