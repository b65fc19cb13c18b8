import asyncio
import http.client
import json

import pytest
import requests

from serving.errors import Code, InternalError
from serving.http_limits import Concurrency
from serving.observing import Observer
from serving.server_metrics import ServerMetrics
from serving.streams.asking import KEYS
from serving.streams.events import GONE, Done, Failed, Token
from serving.streams.rest import StreamingApi
from tests.serving.asking import SECONDS, wait_until
from tests.serving.streams import models
from tests.serving.streams.conftest import VERSE


def test_each_token_is_an_event_and_the_last_one_tells_the_end(text):
    response = text.post("endless", prompt="a", max_tokens=3, temperature=0)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.raw.read(decode_content=True) == (
        b'data: {"text": "b", "index": 0}\n\ndata: {"text": "a", "index": 1}\n\ndata: {"text": "b", "index": 2}\n\n'
        b'data: {"done": true, "tokens": 3, "finish_reason": "length"}\n\n'
    )


def test_a_character_waits_until_all_its_bytes_are_there(text):
    *tokens, last = text.events("verse", prompt="Z", temperature=0)
    assert "".join(token["text"] for token in tokens) == VERSE[1:]
    assert all(len(token["text"]) <= 1 for token in tokens)
    assert len(tokens) == len(VERSE[1:].encode()) + 1  # and the end token
    assert last == {"done": True, "tokens": len(tokens), "finish_reason": "end"}


def test_an_unfinished_character_at_the_end_is_shown_as_one(text):
    assert text.text("verse", prompt="Zwei ", temperature=0, max_tokens=1) == "\ufffd"


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (["Birnen"], "wei Äpfel, drei "),
        (["Birnen", "drei"], "wei Äpfel, "),
        (["Birnes", "süß!"], "wei Äpfel, drei Birnen: "),
        (["nie"], VERSE[1:]),
    ],
)
def test_the_text_ends_before_the_first_stop_string(text, stop, expected):
    *tokens, last = text.events("verse", prompt="Z", temperature=0, stop=stop)
    assert "".join(token["text"] for token in tokens) == expected
    assert last["finish_reason"] == ("end" if stop == ["nie"] else "stop")


@pytest.mark.parametrize(
    "keys",
    [
        {"seed": 1},
        {"seed": 2, "temperature": 0.5},
        {"seed": -3, "top_k": 3},
        {"seed": 4, "temperature": 0},
        {"seed": 5, "temperature": 3, "top_k": 10, "max_tokens": 200},
    ],
)
def test_the_text_is_the_one_that_numpy_draws(text, dreamer, keys):
    drawn = models.follow(
        dreamer,
        b"once",
        keys.get("max_tokens", 64),
        keys.get("temperature", 1.0),
        keys.get("top_k", 0),
        keys["seed"] % (1 << 64),
    )
    assert text.text("dreamer", prompt="once", **keys) == drawn.decode()


def test_the_same_seed_gives_the_same_text_beside_others(text):
    asked = [
        {"prompt": "x" * (1 + seed % 5), "seed": seed, "max_tokens": 20 + 9 * seed, "temperature": 0.5 + seed % 3}
        for seed in range(12)
    ]
    alone = [text.text("dreamer", **keys) for keys in asked]
    assert text.at_once("dreamer", asked) == alone
    assert len(set(alone)) == len(alone)


def test_without_a_seed_texts_differ(text):
    assert text.text("dreamer", prompt="a") != text.text("dreamer", prompt="a")


def test_a_kept_sequence_stands_after_all_its_text(text, live):
    whole = text.text("verse", prompt="Z", temperature=0)
    first = text.events("verse", prompt="Z", temperature=0, max_tokens=11, keep=True)
    kept = first[-1]["sequence_id"]
    assert live("verse") == 1
    begun = "".join(event["text"] for event in first[:-1])
    assert whole.startswith(begun)
    rest = whole[len(begun) :]
    assert text.text("verse", prompt=rest[:1], temperature=0, sequence_id=kept) == rest[1:]
    assert live("verse") == 0
    assert text.error("verse", prompt="x", sequence_id=kept) == (404, "Sequence with provided ID does not exist")


def test_a_sequence_of_plain_steps_goes_on_as_text_and_back(text, text_server):
    url = f"{text.root}endless:predict"
    special = {"sequence_id": "mine", "sequence_control_input": 1}
    body = {"signature_name": "step", "inputs": {"tokens": [[97]], **special}}
    assert requests.post(url, json=body, timeout=SECONDS).status_code == 200
    events = text.events("endless", prompt="a", sequence_id="mine", keep=True, temperature=0, max_tokens=2)
    assert "".join(event.get("text", "") for event in events) == "ab"
    assert events[-1]["sequence_id"] == "mine"
    inputs = {"tokens": [[97]], "sequence_id": "mine", "sequence_control_input": 2}
    answer = requests.post(url, json={"signature_name": "step", "inputs": inputs}, timeout=SECONDS).json()
    assert answer["outputs"]["logits"][0][0].index(100.0) == b"ab"[5 % 2]  # after 1, 1 and 2 tokens, and this one


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({}, "prompt is missing"),
        ({"prompt": 1}, "prompt must be a string"),
        ({"prompt": "a", "max_tokens": 0}, "max_tokens must be a whole number from 1 to 4096"),
        ({"prompt": "a", "temperature": -1}, "temperature must be a number, 0 or more"),
        ({"prompt": "a", "stop": "b"}, "stop must be a list of strings that are not empty"),
        ({"prompt": "a", "colour": 1}, "colour is not known"),
        ({"prompt": ""}, "prompt gives no token"),
    ],
)
def test_a_wrong_key_is_named(text, keys, problem):
    assert text.error("endless", **keys) == (400, f"generate_stream: {problem}")


@pytest.mark.parametrize("lack", models.LACKS)
def test_a_model_that_cannot_write_says_what_it_lacks(text, lack):
    what = f"Model without-{lack} version 1 cannot stream text: {models.LACKS[lack]}"
    assert text.error(f"without-{lack}", prompt="a") == (501, what)


def test_what_is_not_there_is_not_found(text):
    assert text.error("nobody", prompt="a") == (404, "Servable not found for request: Latest(nobody)")
    assert text.error("endless", "/versions/7", prompt="a")[0] == 404
    assert text.error("endless", "/labels/best", prompt="a")[0] == 400
    assert text.error("nobody", prompt="a", sequence_id=7)[0] == 404


def test_no_more_streams_run_than_sequences_may_live(text, live):
    kept = text.events("capital", prompt="A", max_tokens=1, keep=True)[-1]["sequence_id"]
    status, error = text.error("capital", prompt="A")
    assert (status, error) == (503, "Max sequence number has been reached. Could not create new sequence.")
    text.text("capital", prompt="A", max_tokens=1, sequence_id=kept)
    assert live("capital") == 0
    assert text.text("capital", prompt="A", max_tokens=2, temperature=0) == "BA"


def test_a_body_that_is_no_json_is_answered_as_everywhere(text):
    response = requests.post(f"{text.root}endless:generate_stream", data="{", timeout=SECONDS)
    assert response.status_code == 400
    assert response.json()["error"].startswith("JSON Parse error")


def test_when_the_client_goes_the_text_ends_and_the_sequence_with_it(text, text_server, gate, live):
    connection = http.client.HTTPConnection("localhost", text_server.rest_port, timeout=SECONDS)
    body = json.dumps({"prompt": "a", "max_tokens": 4096, "keep": True})
    connection.request("POST", "/v1/models/endless:generate_stream", body)
    assert connection.getresponse().readline().startswith(b"data: ")
    assert live("endless") == 1
    assert gate.reached.wait(SECONDS)
    (driver,) = [d for d in text_server._streams._drivers.values() if d._streams]
    (stream,) = driver._streams
    connection.close()
    wait_until(stream.gone)
    gate.open()
    wait_until(lambda: live("endless") == 0)
    assert len(stream.text_tokens) <= 2


def test_streams_count_as_requests_with_their_final_status(text):
    def counts():
        page = requests.get(f"{text.root.removesuffix('/v1/models/')}/monitoring/prometheus/metrics", timeout=SECONDS)
        lines = dict(line.rsplit(" ", 1) for line in page.text.splitlines() if "verse" in line)
        name = ":tensorflow:serving:request_"
        ok = f'{name}count{{model_name="verse",status="OK"}}'
        latency = f'{name}latency_count{{model_name="verse",API="generate_stream",entrypoint="REST"}}'
        bad = f'{name}count{{model_name="verse",status="INVALID_ARGUMENT"}}'
        return [int(lines.get(key, 0)) for key in (ok, latency, bad)]

    before = counts()
    text.text("verse", prompt="Z")
    text.error("verse", prompt=1)
    assert counts() == [before[0] + 1, before[1] + 1, before[2] + 1]


def test_without_the_flag_the_route_is_malformed(serve):
    serve.put("endless", 1)
    server = serve(enable_generate_stream=False)
    path = "/v1/models/m:generate_stream"
    assert server.text.error("m", prompt="a") == (400, f"Malformed request: POST {path}")


class FakeStreams:
    """Puts events into the outbox when it is opened, and when it is told."""

    def __init__(self, *events):
        self.events = events

    def why_gone(self):
        return GONE

    def open(self, spec, asked, outbox, timeout_ms):
        self.outbox = outbox
        for event in self.events:
            outbox.put(event)


class Plain:
    at_once = Concurrency(0)


def answered(streams, at_body=lambda body: None, **settings):
    """The messages that the application sends for one request."""
    sent = []

    async def run():
        body = iter([{"type": "http.request", "body": b'{"prompt": "a"}'}])

        async def receive():
            return next(body, None) or await asyncio.Event().wait()

        async def send(message):
            sent.append(message)
            if "body" in message:
                at_body(message["body"])

        api = StreamingApi(Plain(), streams, None, ServerMetrics(), Observer(), **settings)
        path = b"/v1/models/m:generate_stream"
        scope = {"type": "http", "method": "POST", "raw_path": path, "query_string": b"", "headers": []}
        await api(scope, receive, send)

    asyncio.run(run())
    return sent


def test_a_comment_is_sent_while_nothing_comes():
    streams = FakeStreams(Token("a", 0))
    seen = []

    def at_body(body):
        seen.append(body)
        if seen.count(b": ping\n\n") == 2:
            streams.outbox.put(Done(1, "length", None))

    answered(streams, at_body, ping_seconds=0.001, timeout_in_ms=0)
    assert seen[1:3] == [b": ping\n\n"] * 2
    assert seen[-1].startswith(b'data: {"done": true')


def test_a_step_that_takes_too_long_ends_the_stream_with_an_error():
    streams = FakeStreams(Token("a", 0))
    *_, last = answered(streams, timeout_in_ms=1)
    assert streams.outbox.closed.code is Code.DEADLINE_EXCEEDED
    assert not last["more_body"]
    event = {"error": "Timed out waiting for notification", "code": "DEADLINE_EXCEEDED"}
    assert json.loads(last["body"].removeprefix(b"data: ")) == event


def test_a_client_that_takes_nothing_counts_as_gone():
    streams, seen = FakeStreams(Token("a", 0)), []

    async def run():
        body = iter([{"type": "http.request", "body": b'{"prompt": "a"}'}])

        async def receive():
            return next(body, None) or await asyncio.Event().wait()

        async def send(message):
            seen.append(message)
            if "body" in message:
                await asyncio.Event().wait()

        api = StreamingApi(Plain(), streams, None, ServerMetrics(), Observer(), send_seconds=0.001)
        path = b"/v1/models/m:generate_stream"
        await api(
            {"type": "http", "method": "POST", "raw_path": path, "query_string": b"", "headers": []}, receive, send
        )

    asyncio.run(run())
    assert len(seen) == 2  # the head and the first event
    assert streams.outbox.closed is GONE


def test_a_later_error_is_the_last_event():
    start, first = answered(FakeStreams(Token("a", 0), Failed(InternalError("broke"))))
    assert start["status"] == 200
    assert first["body"].endswith(b'data: {"error": "broke", "code": "INTERNAL"}\n\n')
    assert not first["more_body"]


def test_the_description_of_the_api_lists_the_models_that_write_text(text_server):
    found = requests.get(f"http://localhost:{text_server.rest_port}/openapi.json", timeout=SECONDS).json()["paths"]
    streams = {path for path in found if path.endswith(":generate_stream")}
    writers = {"verse", "endless", "capital", "dreamer"}
    assert {f"/v1/models/{name}:generate_stream" for name in writers} <= streams
    assert "/v1/models/without-encode:generate_stream" not in streams
    asked = found["/v1/models/verse:generate_stream"]["post"]
    assert list(asked["responses"]["200"]["content"]) == ["text/event-stream"]
    properties = asked["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert set(properties) == set(KEYS)
