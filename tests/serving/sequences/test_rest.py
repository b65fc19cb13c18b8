"""Sequences over HTTP, asked with plain JSON."""

import json
import socket
import threading

import numpy as np
import pytest

from tests.serving.asking import refused, wait_until
from tests.serving.sequences.driving import sums
from tests.serving.sequences.models import chunk

UNKNOWN = (404, "Sequence with provided ID does not exist")


@pytest.fixture
def columns(sequence_rest):
    """Asks in column format; the outputs."""

    def ask(model="running", of="", **inputs):
        response = sequence_rest.predict(model, {"signature_name": "step", "inputs": inputs}, of)
        assert response.status_code == 200, response.text
        return response.json()["outputs"]

    return ask


@pytest.fixture
def error(sequence_rest):
    """(status, text) of a call in column format that is refused."""

    def ask(model="running", of="", **inputs):
        return sequence_rest.error(model, {"signature_name": "step", "inputs": inputs}, of)

    return ask


@pytest.mark.parametrize("form", [lambda value: [value], lambda value: value])
@pytest.mark.parametrize("kind", [int, str])
def test_a_sequence_in_columns(columns, new, form, kind):
    a, b, c = chunk(1, 2, 1)
    sequence = form(kind(new))
    answer = columns(x=a.tolist(), sequence_id=sequence, sequence_control_input=form(1), sequence_step=form(0))
    assert answer == {
        "y": sums(a).tolist(),
        "number": [[1]],
        "sequence_id": [kind(new)],
        "sequence_step": [0],
    }
    assert columns(x=b.tolist(), sequence_id=sequence)["y"] == sums(a, b).tolist()
    assert columns(x=c.tolist(), sequence_id=sequence, sequence_control_input=form(2))["y"] == sums(a, b, c).tolist()


def test_a_sequence_in_rows(sequence_rest, new):
    a, b = chunk(1, 2)

    def ask(**row):
        response = sequence_rest.predict("running", {"signature_name": "step", "instances": [row]})
        assert response.status_code == 200, response.text
        return response.json()["predictions"]

    answer = ask(x=a[0].tolist(), sequence_id=f"user-{new}", sequence_control_input=1)
    assert answer == [{"y": sums(a)[0].tolist(), "number": [1], "sequence_id": f"user-{new}"}]
    answer = ask(x=b[0].tolist(), sequence_id=[f"user-{new}"], sequence_step=1, lengths=2)
    assert answer[0]["y"] == sums(a, b)[0].tolist()
    assert answer[0]["sequence_step"] == 1
    assert ask(sequence_id=f"user-{new}", sequence_control_input=2) == [{"sequence_id": f"user-{new}"}]


def test_only_the_id_is_left_and_keeps_its_name(columns, new):
    (a,) = chunk(1)
    columns(x=a.tolist(), sequence_id=new, sequence_control_input=1)
    assert columns(sequence_id=new, sequence_control_input=2) == {"sequence_id": [new]}


def test_an_id_that_the_server_makes_is_a_number(columns):
    (a,) = chunk(1)
    (made,) = columns(x=a.tolist(), sequence_control_input=1)["sequence_id"]
    assert 0 < made < 2**53
    assert columns(x=a.tolist(), sequence_id=made)["y"] == sums(a, a).tolist()


def test_both_faces_share_the_sequences(columns, step, new):
    a, b = chunk(1, 1)
    step.start(a, new, step=0)
    assert columns(x=a.tolist(), sequence_id=new, sequence_control_input=1, sequence_step=0)["y"] == sums(a).tolist()
    assert columns(x=b.tolist(), sequence_id=new, sequence_step=1)["y"] == sums(a, b).tolist()
    np.testing.assert_array_equal(step(b, new, step=1)["y"], sums(a, b))


def test_a_number_with_infinities_is_read_as_in_any_call(sequence_rest, new):
    inputs = f'"x": [[[NaN, Infinity]]], "sequence_id": {new}, "sequence_control_input": 1'
    body = f'{{"signature_name": "step", "inputs": {{{inputs}}}}}'.encode()
    response = sequence_rest.predict("running", body)
    assert '"y": [[[NaN, Infinity]]]' in response.text.replace("\n", "").replace("            ", "")


X = [[[1.0, 2.0]]]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"sequence_id": 77}, UNKNOWN),
        ({"sequence_control_input": 2}, (400, "Sequence ID has not been provided in request inputs")),
        ({"sequence_id": 5, "sequence_control_input": 3}, (400, "Unexpected value of sequence control input")),
        *[
            ({"sequence_id": value}, (400, "Could not find sequence id in expected tensor proto field uint64_val"))
            for value in (-7, 7.5, True, None, 2**64, {"b64": "!"})
        ],
        (
            {"sequence_id": 5, "sequence_control_input": "1"},
            (400, "Could not find sequence control input in expected tensor proto field uint32_val"),
        ),
        *[
            (
                {"sequence_id": 5, "sequence_step": value},
                (400, "Could not find sequence step in expected tensor proto field int64_val"),
            )
            for value in (-1, "0", 1.0)
        ],
        *[
            ({"sequence_id": value}, (400, "Special input proto does not contain tensor shape information"))
            for value in ([], [7, 8], [[7]])
        ],
        (
            {"sequence_id": 5, "state_sum": [[1, 2]]},
            (404, UNKNOWN[1]),
        ),
        (
            {"sequence_id": 5, "sequence_control_input": 1, "state_sum": [[1, 2]]},
            (400, "State inputs are accepted only at sequence start, all of them; got {state_sum}"),
        ),
        (
            {"sequence_id": 5, "sequence_control_input": 1, "x": [X[0], X[0]]},
            (400, "Sequence request must have one row; input x has 2"),
        ),
        (
            {"sequence_id": 5, "sequence_control_input": 1, "sequence_step": 4},
            (412, "Sequence 5: step 4 does not follow step -1"),
        ),
    ],
)
def test_errors_have_their_status_and_text(error, inputs, expected):
    assert error(**{"x": X, **inputs}) == expected


def test_errors_of_a_running_sequence(columns, error, new):
    columns(x=X, sequence_id=new, sequence_control_input=1)
    assert error(x=X, sequence_id=new, sequence_control_input=1) == (
        409,
        "Sequence with provided ID already exists",
    )
    assert error(x=X, sequence_id=new, sequence_step=0) == (412, f"Sequence {new}: the answer of step 0 was not kept")
    assert error(of="/versions/3", x=X, sequence_id=new) == (
        412,
        f"Sequence {new} runs on version 1 of model running, the request asks for version 3",
    )
    assert error(sequence_id=new) == (400, "Missing named input: x in 'inputs' object.")
    assert error(x="text", sequence_id=new)[0] == 400
    assert columns(x=X, sequence_id=new)["number"] == [[2]]


def test_limits_have_their_status(columns, error):
    for number in (1, 2):
        columns("plain", x=X, sequence_id=number, sequence_control_input=1)
    text = "Max sequence number has been reached. Could not create new sequence."
    assert error("plain", x=X, sequence_id=3, sequence_control_input=1) == (503, text)
    for number in (1, 2):
        columns("plain", sequence_id=number, sequence_control_input=2)


def at_once(columns, **inputs):
    """A call that is on its way; joined at the end of the test."""
    thread = threading.Thread(target=columns, kwargs=inputs)
    thread.start()
    return thread


def test_a_start_while_the_end_of_its_id_runs_is_412(columns, error, held, new):
    columns(x=X, sequence_id=new, sequence_control_input=1)
    began, go, _ = held("running")
    ending = at_once(columns, x=X, sequence_id=new, sequence_control_input=2)
    assert began.acquire(timeout=30)
    assert error(x=X, sequence_id=new, sequence_control_input=1) == (
        412,
        "Sequence last request is being processed and it's not available anymore",
    )
    assert error(x=X, sequence_id=new) == UNKNOWN
    go.set()
    ending.join(30)
    assert columns(x=X, sequence_id=new, sequence_control_input=1)["number"] == [[1]]


def test_too_many_that_wait_are_429(columns, error, held, sequence_server):
    columns("plain", x=X, sequence_id=4, sequence_control_input=1)
    began, go, _ = held("plain")
    calls = [at_once(columns, model="plain", x=X, sequence_id=4)]
    assert began.acquire(timeout=30)
    calls.append(at_once(columns, model="plain", x=X, sequence_id=4))
    lines = sequence_server.sequences._turns._lines
    wait_until(lambda: any(line.waiting for line in list(lines.values())))
    text = "Sequence 4 has 1 requests waiting, which is the limit"
    assert error("plain", x=X, sequence_id=4) == (429, text)
    go.set()
    for call in calls:
        call.join(30)
    assert columns("plain", x=X, sequence_id=4, sequence_control_input=2)["number"] == [[4]]


def test_versions_that_hold_no_sequences(error, sequence_rest):
    text = "Model other version 1 holds no sequences: signature step has no input that begins with state_"
    assert error("other", x=[[1, 2]], sequence_id=5) == (412, text)
    body = {"signature_name": "step", "inputs": {"sequence_id": [5, 6]}}
    assert sequence_rest.predict("reserved", body).json() == {"outputs": [6, 7]}


def test_rows_have_exactly_one_element(sequence_rest):
    rows = [{"x": X[0], "sequence_id": 5}, {"x": X[0], "sequence_id": 6}]
    text = "Sequence request must have one row; input x has 2"
    assert sequence_rest.error("running", {"signature_name": "step", "instances": rows}) == (400, text)


def test_what_a_row_has_too_much_is_named(sequence_rest):
    row = {"x": X[0], "z": 1, "sequence_id": 5, "sequence_control_input": 1}
    status, text = sequence_rest.error("running", {"signature_name": "step", "instances": [row]})
    assert status == 400
    assert "does not have named input: z" in text


def test_without_special_inputs_the_answer_is_a_stock_one(sequence_rest):
    inputs = {"x": X, "lengths": [1], "state_sum": [[0, 0]], "state_seen": [0]}
    answer = sequence_rest.predict("running", {"signature_name": "step", "inputs": inputs}).json()["outputs"]
    assert answer == {"number": [[1]], "state_seen": [1], "state_sum": [[1.0, 2.0]], "y": X}
    status, text = sequence_rest.error("running", {"signature_name": "step", "inputs": {"x": X}})
    assert (status, text) == (400, "Missing named input: state_seen in 'inputs' object.")


def test_a_call_that_waits_is_not_run_when_its_connection_is_closed(sequence_server, columns, step, new):
    (a,) = chunk(1)
    step.start(a, new)
    began, go = threading.Event(), threading.Event()
    with sequence_server.manager.use("running") as loaded:
        servable = loaded.unbatched
        run = servable.run
        servable.run = lambda *args: (began.set(), go.wait(30), run(*args))[2]
    try:
        holder = threading.Thread(target=columns, kwargs={"x": a.tolist(), "sequence_id": new})
        holder.start()
        assert began.wait(30)
        body = json.dumps({"signature_name": "step", "inputs": {"x": a.tolist(), "sequence_id": new}}).encode()
        with socket.create_connection(("localhost", sequence_server.rest_port)) as sock:
            head = b"POST /v1/models/running:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            sock.sendall(head + body)
            lines = sequence_server.sequences._turns._lines
            wait_until(lambda: any(line.waiting for line in lines.values()))
        go.set()
        holder.join(30)
    finally:
        go.set()
        del servable.run
    wait_until(lambda: not lines)
    assert step.end(a, new)["number"].tolist() == [[3]]
    assert refused(step, a, new)[0] == "NOT_FOUND"
