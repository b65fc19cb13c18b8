"""What becomes of streams when the versions of their model change."""

import pytest

from serving.states import State
from tests.serving.asking import SECONDS, wait_until
from tests.serving.streams.asking import events_of


def is_available(server, version):
    found = server.manager.states.versions("m").get(version)
    return found is not None and found.state is State.AVAILABLE


def is_gone(server, version):
    return server.manager.states.versions("m")[version].state is State.END


def begun(server, gate, **keys):
    """A stream that has sent its first token and waits at the gate: (its events, that first one)."""
    events = events_of(server.text.post("m", prompt="a", temperature=0, max_tokens=4, **keys))
    first = next(events)
    assert gate.reached.wait(SECONDS)
    return events, first


def test_a_version_stays_loaded_until_its_streams_have_ended(serve, gate):
    serve.put("endless", 1)
    server = serve()
    events, first = begun(server, gate)
    serve.put("capital", 2)
    wait_until(lambda: is_available(server, 2))
    gate.open()
    assert first["text"] + "".join(event.get("text", "") for event in events) == "baba"
    wait_until(lambda: is_gone(server, 1))
    assert server.text.text("m", prompt="a", temperature=0, max_tokens=2) == "BA"


def test_with_carry_a_stream_goes_on_in_the_next_version(serve, gate):
    serve.put("endless", 1)
    server = serve(sequence_on_version_change="CARRY")
    events, first = begun(server, gate, keep=True)
    serve.put("capital", 2)
    wait_until(lambda: is_available(server, 2))
    gate.open()
    *tokens, last = [first, *events]
    text = "".join(token["text"] for token in tokens)
    assert text[:1] == "b"
    assert text.upper() == "BABA"
    more = server.text.text("m", prompt="a", temperature=0, max_tokens=2, sequence_id=last["sequence_id"])
    assert more == "AB"


def test_with_fail_a_stream_ends_with_an_error(serve, gate):
    serve.put("endless", 1)
    server = serve(sequence_on_version_change="FAIL")
    events, _ = begun(server, gate)
    serve.put("capital", 2)
    wait_until(lambda: is_available(server, 2) and not is_available(server, 1))
    gate.open()
    *_, last = events
    assert last["code"] == "FAILED_PRECONDITION"
    assert last["error"].endswith("version 1 of model m is not loaded and on_version_change is FAIL")


@pytest.mark.parametrize("of", ["/versions/1", "/labels/old"])
def test_a_kept_sequence_stays_on_its_version_which_may_be_named(serve, of, tmp_path):
    for version, model in ((1, "endless"), (2, "capital")):
        serve.put(model, version)
    config = tmp_path / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "m" base_path: "{tmp_path}/m" model_platform: "tensorflow" '
        'model_version_policy { all {} } version_labels { key: "old" value: 1 } } }'
    )
    server = serve(model_config_file=str(config), allow_version_labels_for_unavailable_models=True)
    kept = server.text.events("m", of, prompt="a", temperature=0, max_tokens=2, keep=True)[-1]["sequence_id"]
    status, error = server.text.error("m", "/versions/2", prompt="a", sequence_id=kept)
    assert (status, error) == (
        412, f"Sequence {kept} runs on version 1 of model m, the request asks for version 2",
    )  # fmt: skip
    events = server.text.events("m", prompt="a", temperature=0, max_tokens=2, sequence_id=kept)
    assert "".join(event.get("text", "") for event in events) == "ab"
