"""Streams that do not come to their end, and what becomes of the sequence that they went on from."""

import threading

import grpc
import pytest
import requests

from serving.calls.model_spec import ModelSpec
from serving.errors import DeadlineExceededError, ServingError
from serving.streams import streams
from serving.streams.asking import Asked
from serving.streams.events import GONE, STOPPING, Outbox
from tests.serving.asking import SECONDS, wait_until
from tests.serving.streams.asking import events_of
from tests.serving.streams.conftest import VERSE

LATE = DeadlineExceededError("late")
FIRST = {"prompt": VERSE[0], "temperature": 0, "max_tokens": 1, "keep": True}  # stands after two letters


def kept(text):
    """A sequence of the model `m` that stands after the first two letters of the verse."""
    *_, last = text.call("m", **FIRST)
    assert last.done
    return last.sequence_number


def goes_on(text, sequence):
    """Whether it still stands there."""
    found = text.call("m", prompt=VERSE[2], temperature=0, sequence_number=sequence)
    return "".join(message.text for message in found) == VERSE[3:]


def its_stream(server):
    """The one stream that runs on a server."""
    return wait_until(lambda: [s for d in server._streams._drivers.values() for s in d._streams])[0]


def test_a_step_that_takes_too_long_leaves_the_sequence_that_the_stream_went_on_from(serve, gate):
    serve.put("verse", 1)
    server = serve(rest_api_timeout_in_ms=2000)
    sequence = kept(server.text)
    response = server.text.post("m", prompt=VERSE[2], sequence_id=sequence, keep=True)
    error = list(events_of(response))[-1]["code"] if response.status_code == 200 else response.status_code
    assert error in ("DEADLINE_EXCEEDED", 504)  # after a token, or before the first one where the machine is slow
    gate.open()
    assert goes_on(server.text, sequence)


def test_so_does_a_deadline_over_grpc(serve, gate):
    serve.put("verse", 1)
    server = serve()
    sequence = kept(server.text)
    request = server.text.request("m", prompt=VERSE[2], sequence_number=sequence, keep=True)
    running = server.text.generate(request, timeout=3)
    stream = its_stream(server)
    with pytest.raises(grpc.RpcError) as raised:
        list(running)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until(stream.gone)
    gate.open()
    assert goes_on(server.text, sequence)


@pytest.mark.parametrize("face", ["grpc", "rest"])
def test_the_end_of_the_server_leaves_it_too(serve, gate, tmp_path, face):
    serve.put("verse", 1)
    flags = {"sequence_store": f"file:{tmp_path}/sequences", "shutdown_grace_seconds": 0}
    first = serve(**flags)
    sequence = kept(first.text)
    keys = {"prompt": VERSE[2], "temperature": 0}
    if face == "grpc":
        running = first.text.call("m", sequence_number=sequence, **keys)
        assert next(running).text
    else:
        running = events_of(first.text.post("m", sequence_id=sequence, **keys))  # dropped, it closes the connection
        assert next(running)["text"]
    assert gate.reached.wait(SECONDS)
    stream = its_stream(first)
    stopping = threading.Thread(target=first.stop)
    stopping.start()
    wait_until(stream.gone)
    gate.open()
    stopping.join(SECONDS)
    assert not stopping.is_alive()
    second = serve(**flags)
    assert goes_on(second.text, sequence)


def test_a_client_that_goes_while_the_server_ends_has_not_given_the_sequence_up(serve, gate, tmp_path):
    serve.put("verse", 1)
    flags = {"sequence_store": f"file:{tmp_path}/sequences"}
    first = serve(**flags)
    sequence = kept(first.text)
    running = first.text.call("m", prompt=VERSE[2], sequence_number=sequence)
    assert next(running).text
    assert gate.reached.wait(SECONDS)
    stream = its_stream(first)
    stopping = threading.Thread(target=first.stop)  # it has the usual time for calls that run
    stopping.start()
    wait_until(lambda: first._streams.why_gone() is STOPPING)
    running.cancel()
    wait_until(stream.gone)
    gate.open()
    stopping.join(SECONDS)
    assert not stopping.is_alive()
    assert goes_on(serve(**flags).text, sequence)


@pytest.mark.parametrize(("why", "stays"), [(LATE, True), (STOPPING, True), (GONE, False)])
def test_while_the_prompt_is_read_it_is_the_same(serve, monkeypatch, why, stays):
    serve.put("verse", 1)
    server = serve()
    sequence = kept(server.text)
    outbox, text_model = Outbox(lambda: None), streams.text_model

    def closing(servable):
        outbox.close(why)
        return text_model(servable)

    monkeypatch.setattr(streams, "text_model", closing)
    asked = Asked.of({"prompt": VERSE[2], "sequence_id": sequence})
    with pytest.raises(ServingError) as raised:
        server._streams.open(ModelSpec("m"), asked, outbox, None)
    assert raised.value is why
    monkeypatch.undo()
    if stays:
        assert goes_on(server.text, sequence)
    else:
        assert server.text.error("m", prompt="x", sequence_id=sequence)[0] == 404


def test_a_new_sequence_whose_client_goes_before_the_first_token_never_was(serve, monkeypatch, tmp_path):
    (tmp_path / "monitoring").write_text("prometheus_config { enable: true }")
    serve.put("verse", 1)
    server = serve(monitoring_config_file=str(tmp_path / "monitoring"))
    outbox, text_model = Outbox(lambda: None), streams.text_model
    monkeypatch.setattr(streams, "text_model", lambda servable: (outbox.close(GONE), text_model(servable))[1])
    with pytest.raises(ServingError):
        server._streams.open(ModelSpec("m"), Asked.of({"prompt": "Z"}), outbox, None)
    assert server.sequences._store.live("m") == 0
    url = f"http://localhost:{server.rest_port}/monitoring/prometheus/metrics"
    page = requests.get(url, timeout=SECONDS).text
    for counter in ("started", "ended"):
        assert f':serving:sequence:{counter}{{model_name="m"' not in page
