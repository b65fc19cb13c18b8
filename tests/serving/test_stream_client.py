import threading

import pytest

from serving.client import GrpcClient, RestClient
from serving.client_error import ClientError
from serving.errors import Code
from serving.server import ModelServer
from serving.stream_client import Generates, Generation, Punctual
from serving.streams import driver
from tests.serving.asking import wait_until
from tests.serving.streams import models
from tests.serving.streams.conftest import Gate

VERSE = "drei Äpfel"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = models.write(models.Reciter(VERSE.encode()), tmp_path_factory.mktemp("stream-client") / "m" / "1").parent
    with ModelServer.on_free_ports(model_name="m", model_base_path=str(folder)) as server:
        yield server


@pytest.fixture(params=["grpc", "rest"])
def client(served, request):
    made = (
        GrpcClient(f"localhost:{served.grpc_port}")
        if request.param == "grpc"
        else RestClient(f"http://localhost:{served.rest_port}")
    )
    with made as client:
        yield client


def test_a_text_comes_piece_by_piece(client):
    text = client.generate("m", "d", temperature=0)
    assert list(text) == list(VERSE[1:])
    assert (text.tokens, text.finish_reason, text.sequence_id) == (len(VERSE[1:].encode()) + 1, "end", None)
    assert list(text) == []


def test_all_that_can_be_asked_for_is_passed_on(client):
    text = client.generate("m", "d", max_tokens=7, temperature=0, top_k=3, seed=1, stop=["zz"], keep=True, version=1)
    assert "".join(text) == VERSE[1:7]  # an unfinished character is one more token than it has letters
    assert text.finish_reason == "length"
    more = client.generate("m", VERSE[7], temperature=0, sequence_id=text.sequence_id)
    assert "".join(more) == VERSE[8:]


def test_other_calls_can_be_made_meanwhile(client):
    text = client.generate("m", "d", temperature=0)
    assert next(text) == VERSE[1]
    assert client.status("m") == {1: "AVAILABLE"}
    assert "".join(text) == VERSE[2:]


def test_a_refusal_is_raised_with_the_servers_code_and_text(client):
    with pytest.raises(ClientError, match="generate_stream: max_tokens must be") as raised:
        list(client.generate("m", "d", max_tokens=-1))
    assert raised.value.code is Code.INVALID_ARGUMENT
    with pytest.raises(ClientError) as raised:
        list(client.generate("nobody", "d"))
    assert raised.value.code is Code.NOT_FOUND


def test_leaving_the_block_ends_the_stream(client, served):
    with client.generate("m", "d", max_tokens=4096, stop=["never"], keep=True) as text:
        next(text)
    assert list(text) == []
    wait_until(lambda: not any(d._streams for d in served._streams._drivers.values()))


def test_nobody_there_is_unavailable():
    with pytest.raises(ClientError) as raised, GrpcClient("localhost:1") as client:
        list(client.generate("m", "d"))
    assert raised.value.code is Code.UNAVAILABLE
    with pytest.raises(ClientError) as raised, RestClient("http://localhost:1") as client:
        list(client.generate("m", "d"))
    assert raised.value.code is Code.UNAVAILABLE


def test_a_stream_that_breaks_off_is_no_whole_text():
    closed = []
    text = Generation(iter([{"text": "a", "index": 0}]), lambda: closed.append(True))
    assert next(text) == "a"
    with pytest.raises(ClientError) as raised:
        next(text)
    assert raised.value.code is Code.UNAVAILABLE
    assert closed
    assert list(text) == []


def lost(*events):
    """A client whose server is lost after these events."""

    class Lost(Generates):
        def _stream(self, model, version, label, keys):
            return Generation(iter(events), lambda: None)

    return Lost()


def test_another_server_of_the_list_takes_over_while_nothing_has_come(client):
    assert "".join(lost().generate("m", "d", temperature=0, others=[lost(), client])) == VERSE[1:]
    nobody = RestClient("http://localhost:1") if isinstance(client, RestClient) else GrpcClient("localhost:1")
    with nobody:
        assert "".join(nobody.generate("m", "d", temperature=0, others=[client])) == VERSE[1:]


@pytest.mark.parametrize("sequence_id", [None, "kept"])
def test_what_has_begun_is_not_begun_again(client, sequence_id):
    first = lost() if sequence_id else lost({"text": "", "index": 0})
    with pytest.raises(ClientError) as raised:
        list(first.generate("m", "d", sequence_id=sequence_id, others=[client]))
    assert raised.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize("face", ["grpc", "rest"])
def test_a_server_that_falls_silent_is_not_waited_for_without_end(served, face, monkeypatch):
    gate = Gate(driver.write)
    monkeypatch.setattr(driver, "write", gate)
    made = (
        GrpcClient(f"localhost:{served.grpc_port}", timeout=2)
        if face == "grpc"
        else RestClient(f"http://localhost:{served.rest_port}", timeout=2)
    )
    try:
        with made as client, client.generate("m", "d", temperature=0) as text:
            assert next(text) == VERSE[1]
            with pytest.raises(ClientError, match="nothing came in 2 s") as raised:
                next(text)
    finally:
        gate.open()
    assert raised.value.code is Code.DEADLINE_EXCEEDED


def test_the_time_that_the_caller_takes_between_two_events_does_not_count():
    cancelled = threading.Event()
    waiting = Punctual(cancelled.set, 0.05)
    assert not cancelled.wait(0.5)  # nobody waits for an event
    with waiting:
        assert cancelled.wait(30)
    assert waiting.late
