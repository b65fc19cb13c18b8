"""Sequences over gRPC, asked with the stock stubs."""

import numpy as np
import pytest

from tests.serving.asking import predict_request, refused
from tests.serving.sequences.driving import UNKNOWN, ids, sums
from tests.serving.sequences.models import chunk


def test_chunks_give_what_the_whole_sequence_gives(step, new):
    chunks = chunk(3, 1, 5)
    for control, end in ((1, 1), (0, 2), (2, 3)):
        answer = step(chunks[end - 1], new, control)
        np.testing.assert_array_equal(answer["y"], sums(*chunks[:end]))
        assert answer["sequence_id"].tolist() == [new]
        assert answer["sequence_id"].dtype == np.uint64
        assert set(answer) == {"y", "number", "sequence_id"}
    assert refused(step, chunks[0], new) == UNKNOWN


def test_an_lstm_that_the_server_holds_equals_one_whose_client_passes_the_states(ask_model, new):
    lstm = ask_model("lstm")
    state = {"state_h": np.zeros((1, 8), np.float32), "state_c": np.zeros((1, 8), np.float32)}
    rng = np.random.default_rng(1)
    for index in range(5):
        x = rng.normal(size=(1, 2, 3)).astype(np.float32)
        held = lstm(x, new, int(index == 0))
        passed = lstm.stateless(x=x, **state)
        state = {alias: passed[alias] for alias in state}
        np.testing.assert_allclose(held["logits"], passed["logits"], rtol=1e-5)


def test_a_call_without_special_inputs_is_a_stock_one(step):
    (x,) = chunk(2)
    state = {"state_sum": np.float32([[1, 1]]), "state_seen": np.int64([4])}
    answer = step.stateless(x=x, lengths=np.int32([2]), **state)
    assert set(answer) == {"y", "number", "state_sum", "state_seen"}
    assert answer["number"].tolist() == [[5, 6]]
    code, text = refused(step.ask.predict, "running", {"x": x}, signature="step")
    assert (code, text[:43]) == ("INVALID_ARGUMENT", "input size does not match signature: 1!=4 l")


def test_the_number_7_and_the_text_7_are_two_sequences(step):
    a, b, c = chunk(1, 1, 1)
    assert step.start(a, 7)["sequence_id"].tolist() == [7]
    assert step.start(b, "7")["sequence_id"].tolist() == [b"7"]
    np.testing.assert_array_equal(step(c, 7)["y"], sums(a, c))
    np.testing.assert_array_equal(step.end(c, "7")["y"], sums(b, c))
    step.end(sequence=7)


def test_the_server_makes_an_id_that_javascript_can_hold(step):
    (a,) = chunk(1)
    found = {int(step.start(a)["sequence_id"][0]) for _ in range(8)}
    found.add(int(step.start(a, 0)["sequence_id"][0]))
    found.add(int(step.start(a, "")["sequence_id"][0]))
    assert len(found) == 10
    assert all(0 < number < 2**53 for number in found)
    for number in found:
        np.testing.assert_array_equal(step.end(a, number)["y"], sums(a, a))


def test_an_end_without_inputs_forgets_without_a_run(step, new):
    (a,) = chunk(1)
    step.start(a, new)
    assert set(step.end(sequence=new)) == {"sequence_id"}
    assert refused(step.end, None, new) == UNKNOWN


def test_states_come_only_when_they_are_asked_for(step, new):
    a, b = chunk(2, 1)
    answer = step.start(a, new, output_filter=["state_seen"])
    assert set(answer) == {"state_seen", "sequence_id"}
    assert answer["state_seen"].tolist() == [2]
    assert set(step(b, new, output_filter=["y"])) == {"y", "sequence_id"}
    assert set(step(b, new, output_filter=["y", "sequence_id"])) == {"y", "sequence_id"}
    code, text = refused(step, b, new, output_filter=["z"])
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("output tensor alias not found in signature: z Outputs")
    assert step.end(b, new)["number"].tolist() == [[5]]


def test_a_start_may_bring_the_states(step, new):
    a, b = chunk(1, 1)
    brought = {"x": a, "state_sum": np.float32([[10, 20]]), "state_seen": np.int64([5])}
    np.testing.assert_array_equal(step.start(brought, new)["y"], sums(a) + np.float32([10, 20]))
    assert step(b, new)["number"].tolist() == [[7]]
    text = "State inputs are accepted only at sequence start, all of them; got {state_seen,state_sum}"
    assert refused(step, brought, new) == ("INVALID_ARGUMENT", text)
    del brought["state_seen"]
    text = "State inputs are accepted only at sequence start, all of them; got {state_sum}"
    assert refused(step.start, brought, next(ids)) == ("INVALID_ARGUMENT", text)


def test_state_inputs_of_another_shape_or_dtype_are_refused(step, new):
    (a,) = chunk(1)
    brought = {"x": a, "state_sum": np.float32([[1, 2, 3]]), "state_seen": np.int64([5])}
    text = "State input state_sum has the shape [1,3]; expected [1,2]"
    assert refused(step.start, brought, new) == ("INVALID_ARGUMENT", text)
    brought["state_sum"] = np.float64([[1, 2]])
    code, text = refused(step.start, brought, new)
    assert code == "INVALID_ARGUMENT"
    assert "to be float but double is provided" in text
    assert refused(step, a, new) == UNKNOWN  # a failed start leaves nothing


def test_lengths_say_how_much_of_a_chunk_is_valid(step, new):
    a, b = chunk(4, 2)
    answer = step.start({"x": a, "lengths": np.int32([3])}, new)
    np.testing.assert_array_equal(answer["y"][:, :3], sums(a[:, :3]))
    assert answer["y"].shape == (1, 4, 2)
    np.testing.assert_array_equal(step(b, new)["y"], sums(a[:, :3], b))


@pytest.mark.parametrize("alias", ["x", "lengths"])
def test_a_request_has_one_row(step, new, alias):
    inputs = {"x": np.zeros((1, 1, 2), np.float32), "lengths": np.int32([1])}
    inputs[alias] = np.repeat(inputs[alias], 2, axis=0)
    text = f"Sequence request must have one row; input {alias} has 2"
    assert refused(step.start, inputs, new) == ("INVALID_ARGUMENT", text)


@pytest.mark.parametrize(
    ("sequence", "control", "error"),
    [
        (None, 0, ("INVALID_ARGUMENT", "Sequence ID has not been provided in request inputs")),
        (None, 2, ("INVALID_ARGUMENT", "Sequence ID has not been provided in request inputs")),
        (0, None, ("INVALID_ARGUMENT", "Sequence ID has not been provided in request inputs")),
        (999_999_999, None, UNKNOWN),
        ("nobody", 2, UNKNOWN),
        (5, 3, ("INVALID_ARGUMENT", "Unexpected value of sequence control input")),
    ],
)
def test_calls_without_a_sequence_are_refused(step, sequence, control, error):
    (a,) = chunk(1)
    assert refused(step, a, sequence, control) == error


def test_a_start_of_an_id_in_use_is_refused(step, new):
    (a,) = chunk(1)
    step.start(a, new)
    assert refused(step.start, a, new) == ("ALREADY_EXISTS", "Sequence with provided ID already exists")
    step.end(a, new)
    np.testing.assert_array_equal(step.start(a, new)["y"], sums(a))


def test_a_run_that_fails_changes_nothing(step, new):
    a, b = chunk(2, 1)
    bad = {"x": a, "lengths": np.int32([9])}
    assert refused(step.start, bad, new)[0] == "INVALID_ARGUMENT"
    assert refused(step, a, new) == UNKNOWN
    step.start(a, new)
    assert refused(step, bad, new)[0] == "INVALID_ARGUMENT"
    assert refused(step.end, bad, new)[0] == "INVALID_ARGUMENT"
    assert refused(step, {"x": a.astype(np.float64)}, new)[0] == "INVALID_ARGUMENT"
    assert refused(step, {"z": a}, new)[0] == "INVALID_ARGUMENT"
    np.testing.assert_array_equal(step(b, new)["y"], sums(a, b))


def test_too_many_sequences_are_refused_until_one_ends(ask_model):
    plain = ask_model("plain")
    (a,) = chunk(1)
    plain.start(a, 1)
    plain.start(a, 2)
    text = "Max sequence number has been reached. Could not create new sequence."
    assert refused(plain.start, a, 3) == ("UNAVAILABLE", text)
    plain.end(sequence=1)
    np.testing.assert_array_equal(plain.start(a, 3)["y"], sums(a))
    for sequence in (2, 3):
        plain.end(sequence=sequence)


def test_a_step_signature_without_the_contract_holds_no_sequences(ask_model):
    other = ask_model("other")
    text = "Model other version 1 holds no sequences: signature step has no input that begins with state_"
    x = np.float32([[1, 2]])
    assert refused(other.start, x, 5) == ("FAILED_PRECONDITION", text)
    assert refused(other, x, 5) == ("FAILED_PRECONDITION", text)
    assert other.stateless(x=x)["y"].tolist() == [[1, 2]]


def test_special_names_that_are_inputs_of_the_signature_are_ordinary(ask_model, step):
    answer = ask_model("reserved").ask.predict("reserved", {"sequence_id": np.uint64([7, 8])}, signature="step")
    assert answer["y"].tolist() == [8, 9]
    found = step.ask.predict("other", {"sequence_id": np.uint64([3])}, signature="numbered")
    assert found["y"].tolist() == [3]


def test_special_inputs_to_another_signature_are_extra_inputs(step):
    inputs = {"sequence_id": np.uint64([3]), "sequence_step": np.int64([0])}
    code, text = refused(step.ask.predict, "other", inputs, signature="numbered")
    assert code == "INVALID_ARGUMENT"
    assert "Sent extra: {sequence_step}" in text


def test_models_and_versions_that_are_not_there_come_first(ask_model, step):
    (a,) = chunk(1)
    unknown = "Servable not found for request: "
    assert refused(ask_model("nobody").start, a, 5) == ("NOT_FOUND", f"{unknown}Latest(nobody)")
    assert refused(ask_model("nobody"), a, 5) == ("NOT_FOUND", f"{unknown}Latest(nobody)")
    assert refused(step.start, a, 5, version=9) == ("NOT_FOUND", f"{unknown}Specific(running, 9)")
    (code, text) = refused(step.start, a, 5, label="canary")
    assert (code, text) == ("INVALID_ARGUMENT", "Unrecognized servable version label: canary")


def test_another_version_than_the_sequence_runs_on_is_an_error(step, new):
    (a,) = chunk(1)
    step.start(a, new, version=1)
    np.testing.assert_array_equal(step(a, new, version=1)["y"], sums(a, a))
    text = f"Sequence {new} runs on version 1 of model running, the request asks for version 2"
    assert refused(step, a, new, version=2) == ("FAILED_PRECONDITION", text)


def test_the_metrics_count(sequence_rest, step, new):
    def samples():
        text = sequence_rest.get("/monitoring/prometheus/metrics").text
        return {
            line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if ":serving:sequence:" in line and "running" in line
        }

    step.end(sequence=int(step.start(chunk(1)[0])["sequence_id"][0]))
    before = samples()
    (a,) = chunk(1)
    step.start(a, new, step=0)
    step(a, new, step=1)
    step(a, new, step=1)
    step.start(a, f"{new}")
    step.end(a, f"{new}")
    grown = {name: value - before.get(name, 0) for name, value in samples().items()}
    assert grown[':serving:sequence:active{model_name="running"}'] == 1
    assert grown[':serving:sequence:started{model_name="running"}'] == 2
    assert grown[':serving:sequence:ended{model_name="running",reason="end"}'] == 1
    assert grown[':serving:sequence:steps{model_name="running"}'] == 4
    assert grown[':serving:sequence:repeats{model_name="running"}'] == 1
    assert grown[':serving:sequence:batch_size_count{model_name="running"}'] == 4
    assert grown[':serving:sequence:state_bytes{model_name="running"}'] > 2 * 4 + 8


def test_the_stock_request_of_a_model_with_sequences_is_not_touched(step):
    message = predict_request("running", {"x": chunk(1)[0]}, signature="step")
    code, _ = refused(step.ask.prediction.Predict, message, timeout=30)
    assert code == "INVALID_ARGUMENT"
