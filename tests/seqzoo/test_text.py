"""`seqzoo ask --stream` and `seqzoo chat`."""

import subprocess

import pytest

from seqzoo.ask import connect
from seqzoo.text import chat, stream
from serving.server import ModelServer
from serving.stream_client import Generation
from tests.serving.streams import models
from tests.training import small
from training.errors import InputError


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = models.write(models.Reciter(b"drei Birnen"), tmp_path_factory.mktemp("text") / "m" / "1").parent
    with ModelServer.on_free_ports(model_name="m", model_base_path=str(folder)) as server:
        yield server


@pytest.fixture
def url(served):
    return f"http://localhost:{served.rest_port}"


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


def live(server):
    return server.sequences._store.live("m")


@pytest.mark.parametrize("face", ["grpc", "http"])
def test_ask_stream_writes_the_text(served, face, tmp_path):
    port = served.grpc_port if face == "grpc" else served.rest_port
    inputs = '{"prompt": "d", "temperature": 0}'
    ask = ["ask", "m", "--stream", "--url", f"{face}://localhost:{port}", "--inputs", inputs]
    done = small.run(small.command(*ask), tmp_path) if face == "grpc" else small.here(tmp_path, *ask)
    assert done.stdout == "rei Birnen\n", done.stderr
    assert done.returncode == 0


def test_chat_takes_turns_as_a_command(served, url, tmp_path):
    command = small.command("chat", "m", "--url", url, "--stop", "rnen", "--temperature", "0")
    home = small.environment(tmp_path)
    done = subprocess.run(
        command, input="d\nx\n", env=home, capture_output=True, text=True, timeout=small.SECONDS, check=False
    )
    # A line and its end are two letters of those that it knows by heart; the second turn goes on after the first.
    assert done.stdout == "> ei Bi\n> rei Bi\n> ", done.stderr
    assert done.returncode == 0
    assert live(served) == 0


@pytest.mark.parametrize("lines", [["d"], []])
def test_ctrl_c_at_the_prompt_of_a_chat_ends_its_sequence(served, url, lines):
    left, seen = list(lines), []

    def read():
        seen.append(live(served))
        if not left:
            raise KeyboardInterrupt
        return left.pop()

    with connect(url, 30, None, None) as client, pytest.raises(KeyboardInterrupt):
        chat(client, "m", read, lambda _: None)
    assert seen == [0, *[1] * len(lines)]
    assert live(served) == 0


def test_an_error_in_a_chat_is_the_one_that_is_shown():
    class Lost(Client):
        def generate(self, model, prompt, **how):
            if self.asked:
                raise OSError("the next turn" if how.get("keep") else "the end")
            return super().generate(model, prompt, **how)

    with pytest.raises(OSError, match="the next turn"):
        talk(Lost(["a"]), "one", "two")
