"""`seqzoo ask --stream` and `seqzoo chat`."""

import pytest

from seqzoo.text import chat, stream
from serving.server import ModelServer
from serving.stream_client import Generation
from tests.serving.streams import models
from training.errors import InputError


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = models.write(models.Reciter(b"drei Birnen"), tmp_path_factory.mktemp("text") / "m" / "1").parent
    with ModelServer.on_free_ports(model_name="m", model_base_path=str(folder)) as server:
        yield f"http://localhost:{server.rest_port}"


def test_a_stream_gives_the_text_piece_by_piece(url, tmp_path):
    (tmp_path / "ask.json").write_text('{"prompt": "d", "temperature": 0, "stop": ["nen"]}')
    assert list(stream("m", f"@{tmp_path / 'ask.json'}", url, 30, None, None)) == list("rei Bir")


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [('{"prompt": "a", "heat": 1}', "--inputs has 'heat'; .* temperature"), ('{"seed": 1}', "--inputs has no prompt")],
)
def test_inputs_that_no_stream_takes_are_named(inputs, problem):
    with pytest.raises(InputError, match=problem):
        stream("m", inputs, "http://localhost:1", 1, None, None)


class Client:
    """Says one thing after the other, and notes what it was asked."""

    def __init__(self, *said):
        self.said, self.asked = list(said), []

    def generate(self, model, prompt, **how):
        self.asked.append((prompt, how.pop("sequence_id"), how))
        said = self.said.pop(0) if self.said else ["."]

        def events():
            for piece in said:
                if piece is KeyboardInterrupt:
                    raise KeyboardInterrupt
                yield {"text": piece}
            yield {"done": True, "tokens": 1, "finish_reason": "stop", "sequence_id": len(self.asked)}

        return Generation(events(), lambda: None)


def talk(client, *lines):
    """What is shown while these lines are read."""
    shown, left = [], list(lines)

    def read():
        if not left:
            raise EOFError
        return left.pop(0)

    chat(client, "m", read, shown.append, top_k=3)
    return "".join(shown)


def test_a_chat_goes_on_from_all_that_was_said_and_ends_its_sequence():
    client = Client(["a", "b"], ["c"])
    assert talk(client, "one", "two") == "ab\nc\n"
    turn = {"keep": True, "top_k": 3}
    assert client.asked == [("one\n", None, turn), ("two\n", 1, turn), ("\n", 2, {"max_tokens": 1})]


def test_a_turn_that_is_broken_off_begins_anew():
    client = Client(["a", KeyboardInterrupt], ["b"])
    assert "what was said so far is forgotten" in talk(client, "one", "two")
    assert [sequence for _, sequence, _ in client.asked] == [None, None, 2]


def test_a_chat_without_a_line_asks_nothing():
    client = Client()
    assert talk(client) == ""
    assert client.asked == []
