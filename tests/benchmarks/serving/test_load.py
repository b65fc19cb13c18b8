import json
import shutil

import pytest

from benchmarks.serving import load
from benchmarks.serving.load import frame, read_h2load
from serving import ModelServer
from tests.serving import exports

PRINTED = """finished in 4.00s, 50.00 req/s, 7KB/s
requests: 100 total, 100 started, 100 done, {good} succeeded, {bad} failed, 0 errored, 0 timeout
traffic: 6.84KB (7000) total, 1.56KB (1600) headers (space savings 89.47%), 4.88KB ({data}) data"""
ANSWER = 50  # bytes


def printed(data=100 * ANSWER, bad=0):
    return PRINTED.format(data=data, good=100 - bad, bad=bad)


def log(statuses=(200,) * 100):
    """A request every 20 ms, which takes 1 ms more each time."""
    return "".join(f"{at * 20_000}\t{status}\t{(at + 1) * 1000}\n" for at, status in enumerate(statuses))


def test_a_frame_is_a_flag_the_length_and_the_message():
    assert frame(b"abc") == b"\0\0\0\0\3abc"


def test_h2loads_log_gives_rate_and_percentiles_in_milliseconds_after_its_first_second():
    found = read_h2load(printed(), log(), ANSWER)
    # the 48th begins at 940 ms and ends at 988; the 49th ends at 1,009; the last at 99 * 20 + 100
    assert (found.requests, found.errors) == (52, 0)
    assert (found.p50, found.p99) == (75.0, 100.0)
    assert found.rate == pytest.approx(52 / 1.08)


@pytest.mark.parametrize(
    ("text", "lines", "errors"),
    [
        (printed(bad=2), log(), 2),
        (printed(), log((500,) * 3 + (200,) * 97), 3),
        (printed(data=93 * ANSWER), log(), 7),  # HTTP's status is 200, but no message came
        (printed(data=101 * ANSWER + 3), log(), 0),  # one was under way when the time was up
    ],
    ids=["failed", "another status", "without a message", "under way"],
)
def test_what_is_no_answer_is_an_error(text, lines, errors):
    assert read_h2load(text, lines, ANSWER).errors == errors


def test_a_run_without_an_answer_is_an_error():
    with pytest.raises(RuntimeError, match="no answer"):
        read_h2load(printed(), "", ANSWER)
    with pytest.raises(RuntimeError, match="data"):
        read_h2load("nothing", "0\t200\t5\n", ANSWER)
    with pytest.raises(RuntimeError, match="within its first 1 s"):
        read_h2load(printed(), "0\t200\t5\n", ANSWER)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loaded")
    exports.scale(folder / "scale" / "1", 2)
    with ModelServer.on_free_ports(model_name="scale", model_base_path=str(folder / "scale")) as found:
        yield found


def asked(server, form, folder, good):
    """(url, body, length of an answer) of a request to a real server."""
    import numpy as np
    from tensorflow_serving.apis import predict_pb2

    from serving import tensor_proto

    body = folder / "body"
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "scale" if good else "absent"
    request.inputs["x"].CopyFrom(tensor_proto.encode(np.ones((1, 1), np.float32)))
    if form == "rest":
        body.write_text(json.dumps({"instances": [[1.0]]}))
        return f"http://127.0.0.1:{server.rest_port}/v1/models/{request.model_spec.name}:predict", body, 1
    body.write_bytes(frame(request.SerializeToString()))
    answer = predict_pb2.PredictResponse()
    answer.model_spec.name, answer.model_spec.signature_name = "scale", "serving_default"
    answer.model_spec.version.value = 1
    answer.outputs["y"].CopyFrom(tensor_proto.encode(np.full((1, 1), 2, np.float32)))
    url = f"http://127.0.0.1:{server.grpc_port}/tensorflow.serving.PredictionService/Predict"
    return url, body, len(frame(answer.SerializeToString()))


FORMS = pytest.mark.parametrize("form", ["rest", "grpc"])
TOOLS = pytest.mark.parametrize("by_python", [True, False], ids=["Python", "the program"])


@pytest.fixture
def tool(monkeypatch, by_python, form):
    """What makes the load, of the two that can."""
    if by_python:
        monkeypatch.setattr(load, "NEEDED", {"rest": "no such program", "grpc": "no such program"})
    elif shutil.which(load.NEEDED[form]) is None:
        pytest.skip(f"{load.NEEDED[form]} is not installed")
    return load.tool(form)


@FORMS
@TOOLS
def test_a_real_server_is_asked_without_an_error(server, tmp_path, form, by_python, tool):
    assert (tool == "Python") == by_python
    url, body, answer_bytes = asked(server, form, tmp_path, good=True)
    found = load.run(form, url, body, 3, 1, answer_bytes)
    assert found.errors == 0
    assert found.requests >= 3
    assert 0 < found.p50 <= found.p99
    assert found.rate == pytest.approx(found.requests, rel=0.9)  # of about a second


@FORMS
@TOOLS
def test_refusals_are_errors(server, tmp_path, form, by_python, tool):
    url, body, answer_bytes = asked(server, form, tmp_path, good=False)
    if by_python:
        with pytest.raises(RuntimeError, match="answers none of"):
            load.run(form, url, body, 3, 1, answer_bytes)
        return
    found = load.run(form, url, body, 3, 1, answer_bytes)
    assert found.errors >= found.requests > 0


def test_a_server_that_is_not_there_is_said_to_be(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "NEEDED", {"rest": "no such program"})
    (tmp_path / "body").write_bytes(b"{}")
    with pytest.raises(RuntimeError, match="answers none of"):
        load.run("rest", "http://127.0.0.1:1/x", tmp_path / "body", 2, 0.1, 1)
