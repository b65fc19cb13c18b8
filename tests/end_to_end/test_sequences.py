"""The zoo's models that stream, as sequences that the server holds: in chunks they say what they say of the whole."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
import tensorflow as tf

from models.zoo import ZOO
from serving import GrpcClient, ModelServer, RestClient
from tests.training.untrained import untrained
from training.export import packed

MOST = 100  # time steps of a chunk


def days(rng):
    """Five years and some days of weather."""
    time = 1900
    return {
        "precipitation": np.maximum(rng.normal(0, 8, time), 0),
        "temp_max": rng.normal(16, 7, time),
        "temp_min": rng.normal(8, 5, time),
        "wind": rng.gamma(4, 0.8, time),
        "day_of_year": np.arange(time) % 365 + 1,
    }


def hours(rng):
    """A month of seven series: more than the network looks back at."""
    return {"values": np.cumsum(rng.normal(size=(730, 7)), axis=0)}


def characters(rng):
    return {"tokens": rng.integers(1, 19, 1500)}


def words(rng):
    return {"tokens": rng.integers(1, 9, 600)}


# makes the data of a sequence, without the batch
WHOLE = {"char-lm": characters, "forecast": hours, "weather": days, "word-lm": words}
WRITERS = ("char-lm", "word-lm")  # of text


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """All of them on one server, with the weights that come along where there are some."""
    root = tmp_path_factory.mktemp("sequences")
    entries = []
    for name in WHOLE:
        if packed.come_along(name):
            packed.unpack(packed.folder_of(name), root / name / "1")
        else:
            (root / name).mkdir()
            untrained(name, root / name)
        entries.append(f'config {{ name: "{name}" base_path: "{root / name}" model_platform: "tensorflow" }}')
    (root / "models.config").write_text(f"model_config_list {{ {' '.join(entries)} }}")
    with ModelServer.on_free_ports(model_config_file=str(root / "models.config")) as server:
        yield root, server


def at_once(loaded, data):
    """What the signature `step` gives for the whole sequence, by TensorFlow's own loader."""
    call = loaded.signatures["step"]
    inputs = {}
    for name, spec in call.structured_input_signature[1].items():
        zeros = np.zeros([1 if size is None else size for size in spec.shape], spec.dtype.as_numpy_dtype)
        inputs[name] = tf.constant(data[name][None] if name in data else zeros, spec.dtype)
    if "lengths" in inputs:
        inputs["lengths"] = tf.constant([len(next(iter(data.values())))], inputs["lengths"].dtype)
    return {name: value.numpy() for name, value in call(**inputs).items() if not name.startswith("state_")}


def in_chunks(client, name, data, rng):
    """The same, in chunks of random sizes, with a state that the server keeps."""
    time, begin, answers = len(next(iter(data.values()))), 0, []
    with client.sequence(name) as sequence:
        while begin < time:
            end = begin + int(rng.integers(1, MOST + 1))
            chunk = {alias: array[None, begin:end].tolist() for alias, array in data.items()}
            answers.append(sequence.step(chunk))
            begin = end
    return {alias: np.concatenate([answer[alias] for answer in answers], axis=1) for alias in answers[0]}


@pytest.mark.parametrize("name", WHOLE)
def test_chunks_through_the_server_give_what_the_whole_gives_in_memory(served, name):
    root, server = served
    loaded = tf.saved_model.load(str(root / name / "1"))
    rng = np.random.default_rng(list(ZOO).index(name))
    data = WHOLE[name](rng)
    with (
        GrpcClient(f"localhost:{server.grpc_port}") as by_grpc,
        RestClient(f"http://localhost:{server.rest_port}") as by_http,
        ThreadPoolExecutor() as pool,
    ):
        found = list(pool.map(in_chunks, (by_grpc, by_http), [name] * 2, [data] * 2, rng.spawn(2)))
    expected = at_once(loaded, data)
    for answer in found:
        assert set(answer) == set(expected)
        for alias, value in expected.items():
            assert np.ptp(value) > 0
            np.testing.assert_allclose(answer[alias], value, rtol=1e-4, atol=1e-4, err_msg=alias)


def streamed(server, name, **keys):
    """The text that comes as server-sent events."""
    url = f"http://localhost:{server.rest_port}/v1/models/{name}:generate_stream"
    with requests.post(url, json={"prompt": "the cook", **keys}, stream=True, timeout=60) as response:
        lines = response.iter_lines()
        *tokens, last = [json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: ")]
    assert (last["done"], last["tokens"]) == (True, len(tokens)), last
    return "".join(token["text"] for token in tokens)


def most_likely(loaded, tokens):
    """What follows, by TensorFlow's own loader, which reads all anew for each token."""
    call, written = loaded.signatures, []
    (prompt,) = call["encode"](text=tf.constant(["the cook"]))["tokens"].numpy().tolist()
    for _ in range(tokens):
        logits = at_once(loaded, {"tokens": np.array([*prompt, *written])})["logits"]
        written.append(int(logits[0, -1].argmax()))
    return call["decode"](tokens=tf.constant([written]))["text"].numpy()[0].decode()


@pytest.mark.parametrize("name", WRITERS)
def test_text_streams_from_the_export_and_the_same_seed_gives_the_same(served, name):
    root, server = served
    text = streamed(server, name, max_tokens=24, seed=7)
    assert text
    assert streamed(server, name, max_tokens=24, seed=7) == text
    assert streamed(server, name, max_tokens=24, seed=8) != text
    expected = most_likely(tf.saved_model.load(str(root / name / "1")), tokens=8)
    assert streamed(server, name, max_tokens=8, temperature=0) == expected
