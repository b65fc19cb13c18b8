import re
from pathlib import Path

import grpc
import pytest

import serving.streams
from serving.protos import GenerateRequest, GenerateResponse
from tests.serving.asking import SECONDS, refused, wait_until
from tests.serving.streams import models
from tests.serving.streams.conftest import VERSE


def test_each_token_is_a_message_and_the_last_one_tells_the_end(text):
    *tokens, last = text.call("verse", prompt="Z", temperature=0, stop=["Birnen"])
    assert "".join(message.text for message in tokens) == "wei Äpfel, drei "
    assert [message.index for message in tokens] == list(range(len(tokens)))
    assert not any(message.HasField("done") for message in tokens)
    assert (last.done, last.tokens, last.finish_reason) == (True, len(tokens), "stop")
    assert not last.HasField("sequence_number")


def test_the_text_is_that_of_http(text, dreamer):
    keys = {"prompt": "so", "seed": 9, "temperature": 2.5, "top_k": 8, "max_tokens": 50}
    found = "".join(message.text for message in text.call("dreamer", **keys))
    assert found == text.text("dreamer", **keys) == models.follow(dreamer, b"so", 50, 2.5, 8, 9).decode()


def test_a_kept_sequence_goes_on(text, live):
    *_, last = text.call("verse", prompt="Z", temperature=0, max_tokens=3, keep=True)
    assert last.sequence_number
    more = text.call("verse", prompt=VERSE[4], temperature=0, sequence_number=last.sequence_number)
    assert "".join(message.text for message in more) == VERSE[5:]
    assert live("verse") == 0


@pytest.mark.parametrize(
    ("model", "keys", "code", "error"),
    [
        ("endless", {}, "INVALID_ARGUMENT", "generate_stream: prompt is missing"),
        ("without-step", {"prompt": "a"}, "UNIMPLEMENTED", "Model without-step version 1 cannot stream text: "
         "it has no signature step"),
        ("endless", {"prompt": "a", "sequence_name": "x"}, "NOT_FOUND", "Sequence with provided ID does not exist"),
        ("endless", {"prompt": "a", "sequence_name": "x", "sequence_number": 1}, "INVALID_ARGUMENT",
         "generate_stream: sequence_number and sequence_name are given; expected one"),
    ],
)  # fmt: skip
def test_an_error_is_the_status_of_the_call(text, model, keys, code, error):
    assert refused(list, text.call(model, **keys)) == (code, error)


def test_a_call_without_a_model_is_refused(text):
    assert refused(list, text.generate(GenerateRequest(prompt="a"), timeout=SECONDS)) == (
        "INVALID_ARGUMENT", "Missing ModelSpec",
    )  # fmt: skip


def test_a_call_that_is_cancelled_ends_its_sequence(text, gate, live):
    call = text.call("endless", prompt="a", max_tokens=4096, keep=True)
    assert next(call).text
    assert gate.reached.wait(SECONDS)
    call.cancel()
    gate.open()
    wait_until(lambda: live("endless") == 0)


def test_streams_do_not_take_the_threads_of_other_calls(text, text_server, gate):
    calls = [text.call("endless", prompt="a") for _ in range(5)]  # the server has two threads
    assert all(next(call).text for call in calls)
    with grpc.insecure_channel(f"localhost:{text_server.grpc_port}") as channel:
        grpc.channel_ready_future(channel).result(SECONDS)
        assert refused(list, text.call("nobody", prompt="a"))[0] == "NOT_FOUND"
    gate.open()
    assert [len(list(call)) for call in calls] == [64] * 5


@pytest.mark.parametrize("message", [GenerateRequest, GenerateResponse])
def test_the_proto_file_says_what_the_messages_are(message):
    source = (Path(serving.streams.__file__).parent / "text.proto").read_text()
    body = re.search(rf"message {message.DESCRIPTOR.name} {{(.*?)\n}}", source, re.DOTALL)[1]
    written = re.findall(r"^  (optional|repeated) ([\w.]+) (\w+) = (\d+);", body, re.MULTILINE)
    names = {
        field: name for name, field in vars(type(message.DESCRIPTOR.fields[0])).items() if name.startswith("TYPE_")
    }
    found = [
        (
            "repeated" if field.is_repeated else "optional",
            field.message_type.full_name if field.message_type else names[field.type].removeprefix("TYPE_").lower(),
            field.name,
            str(field.number),
        )
        for field in message.DESCRIPTOR.fields
    ]
    assert written == found
