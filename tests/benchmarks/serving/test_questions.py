"""The benchmark's requests on a real server with the benchmark's model, asked as the benchmark asks."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2

from benchmarks.serving import questions as questions_module
from benchmarks.serving.contenders import CONTENDERS, SEQUENCE, STEP
from benchmarks.serving.model import STATES
from benchmarks.serving.profile import own_parts
from benchmarks.serving.questions import probabilities
from benchmarks.serving.servers import questions_of
from serving import ModelServer, servable, tensor_proto

ROOT = Path(__file__).parents[3]
OURS = {contender.form: contender for contender in CONTENDERS if contender.name == "ours"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmarked")
    (folder / "classifier").mkdir()
    version = folder / "classifier" / "1"
    subprocess.run([sys.executable, "-m", "benchmarks.serving.model", str(version)], check=True, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def questions(repository, tmp_path_factory):
    return questions_of(tmp_path_factory.mktemp("bodies"), repository)


@pytest.fixture(scope="module")
def server(repository):
    with ModelServer.on_free_ports(model_name="classifier", model_base_path=str(repository / "classifier")) as found:
        yield found


def test_a_step_is_one_time_step_with_its_states_in_every_form(questions):
    rest = json.loads(questions.body(OURS["rest"], STEP).read_bytes())
    message = predict_pb2.PredictRequest.FromString(questions.body(OURS["grpc"], STEP).read_bytes()[5:])
    assert rest["signature_name"] == message.model_spec.signature_name == "step"
    assert set(rest["inputs"]) == set(message.inputs) == {"x", *STATES}
    for alias, proto in message.inputs.items():
        array = tensor_proto.decode(proto)
        assert array.shape == ((1, 1, 16) if alias == "x" else (1, 64))
        assert np.allclose(array, rest["inputs"][alias])
        assert np.ptp(array) > 0.5  # a state of zeros would be a sequence's first step


@pytest.mark.parametrize("request_name", [SEQUENCE, STEP])
@pytest.mark.parametrize("form", ["rest", "grpc"])
def test_ours_answers_each_request_rightly_over_each_face(server, questions, monkeypatch, form, request_name):
    port = server.rest_port if form == "rest" else server.grpc_port - 1
    monkeypatch.setattr(questions_module, "PORT", port)
    assert questions.answered(OURS[form], request_name)
    wrong = replace(questions._questions[request_name], expected=np.zeros((1, 5), np.float32))
    monkeypatch.setitem(questions._questions, request_name, wrong)
    with pytest.raises(ArithmeticError, match="ours answers"):
        questions.answered(OURS[form], request_name)
    monkeypatch.setattr(questions_module, "PORT", 1)
    assert not questions.answered(OURS[form], request_name)


def test_the_length_of_an_answer_is_that_of_the_message_in_its_frame(server, questions, monkeypatch):
    monkeypatch.setattr(questions_module, "PORT", server.grpc_port - 1)
    lengths = {}
    for name in (SEQUENCE, STEP):
        assert questions.answered(OURS["grpc"], name)
        lengths[name] = questions.answer_bytes
    assert lengths[STEP] - lengths[SEQUENCE] > 4 * 64 * 4  # four states of 64 floats more


@pytest.mark.parametrize(
    "answer",
    [
        {"predictions": [[1.0, 2.0]]},
        {"outputs": {"probabilities": [[1.0, 2.0]], "state_h1": [[3.0]]}},
        {"outputs": [{"name": "output-0", "data": [[1.0, 2.0]]}]},
        [[1.0, 2.0]],
        [{"probabilities": [[1.0, 2.0]]}],
    ],
)
def test_an_answer_is_read_in_the_form_of_any_contender(answer):
    assert probabilities(answer) == [[1.0, 2.0]]


def test_everybody_is_asked_for_sequences_and_for_steps():
    asked = {contender.name for contender in CONTENDERS if STEP in contender.paths}
    assert asked == {contender.name for contender in CONTENDERS if SEQUENCE in contender.paths}


def once(call):
    """In the place of a median of many calls."""
    call()
    return 1.5


def test_the_profile_has_every_part_of_both_requests(repository, questions, monkeypatch):
    monkeypatch.setattr("benchmarks.serving.profile.median_ms", once)
    loaded = servable.load("classifier", 1, str(repository / "classifier" / "1"))
    rows = list(own_parts(loaded, questions))
    loaded.close()
    assert {row["us"] for row in rows} == {1500.0}
    for text in ("a sequence", "one step"):
        of_it = [row["what"] for row in rows if text in row["what"]]
        assert len(of_it) == 7
        assert f"the compiled model, {text}, 32 rows" in of_it
