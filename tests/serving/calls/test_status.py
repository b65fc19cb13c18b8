import pytest

from serving.calls import status
from serving.errors import InvalidArgumentError, NotFoundError, UnavailableError
from serving.states import State, StateMonitor


@pytest.fixture
def states():
    found = StateMonitor()
    found.publish("m", 1, State.END, UnavailableError("broken"))
    found.publish("m", 10, State.AVAILABLE)
    found.publish("m", 2, State.LOADING)
    return found


def test_every_version_ever_seen_comes_highest_first(states):
    found = status.response(states, "m", None).model_version_status
    assert [(v.version, v.state) for v in found] == [(10, 30), (2, 20), (1, 50)]
    assert [(v.status.error_code, v.status.error_message) for v in found] == [(0, ""), (0, ""), (14, "broken")]


def test_one_version_can_be_asked_for(states):
    (found,) = status.response(states, "m", 2).model_version_status
    assert (found.version, found.state) == (2, 20)


@pytest.mark.parametrize(
    ("name", "version", "text"),
    [
        ("m", 7, "Could not find version 7 of model m"),
        ("x", 7, "Could not find version 7 of model x"),
        ("x", None, "Could not find any versions of model x"),
        ("", None, "Could not find any versions of model "),
    ],
)
def test_what_was_never_seen_is_not_found(states, name, version, text):
    with pytest.raises(NotFoundError) as error:
        status.response(states, name, version)
    assert error.value.message == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ([], "GetModelMetadataRequest must specify at least one metadata_field"),
        (["signature_def", "weights"], "Metadata field weights is not supported"),
    ],
)
def test_only_signatures_can_be_asked_for(fields, text):
    with pytest.raises(InvalidArgumentError) as error:
        status.check_metadata_fields(fields)
    assert error.value.message == text
    status.check_metadata_fields(["signature_def", "signature_def"])
