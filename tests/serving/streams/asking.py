"""How the tests ask for text: plain HTTP, read line by line, and a plain gRPC channel."""

import json
import threading

import requests
from google.protobuf import json_format

from serving.protos import GenerateRequest, GenerateResponse
from tests.serving.asking import SECONDS, fill


class Text:
    """The streams of one server."""

    def __init__(self, server, channel):
        self.root = f"http://localhost:{server.rest_port}/v1/models/"
        self.generate = channel.unary_stream(
            "/seqzoo.serving.TextService/Generate",
            request_serializer=GenerateRequest.SerializeToString,
            response_deserializer=GenerateResponse.FromString,
        )

    def post(self, model, of="", **keys):
        """The response, whose body is still to come."""
        return requests.post(f"{self.root}{model}{of}:generate_stream", json=keys, stream=True, timeout=SECONDS)

    def events(self, model, of="", **keys):
        """All events."""
        response = self.post(model, of, **keys)
        assert response.status_code == 200, response.text
        return list(events_of(response))

    def text(self, model, **keys):
        """The text of all events; the last one says that it is done."""
        *tokens, last = self.events(model, **keys)
        assert last["done"]
        assert last["tokens"] == len(tokens)
        assert [token["index"] for token in tokens] == list(range(len(tokens)))
        return "".join(token["text"] for token in tokens)

    def error(self, model, of="", **keys):
        """(status, text) of a request that is refused."""
        response = self.post(model, of, **keys)
        assert response.headers["Content-Type"] == "application/json"
        return response.status_code, response.json()["error"]

    def at_once(self, model, requests_of):
        """The texts of several streams that run beside each other."""
        texts = [None] * len(requests_of)

        def ask(place, keys):
            texts[place] = self.text(model, **keys)

        threads = [threading.Thread(target=ask, args=given) for given in enumerate(requests_of)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return texts

    def request(self, model, version=None, label=None, **keys):
        """The message over gRPC."""
        request = json_format.ParseDict(keys, GenerateRequest())
        fill(request.model_spec, model, version, label)
        return request

    def call(self, model, version=None, label=None, **keys):
        """The call over gRPC."""
        return self.generate(self.request(model, version, label, **keys), timeout=SECONDS)


def events_of(response):
    """The events of a response, as they come."""
    for line in response.iter_lines():
        if line.startswith(b"data: "):
            yield json.loads(line[len(b"data: ") :])
