"""Requests made from a real server's description, and answers that are not as described."""

import pytest
import requests

pytest.importorskip("schemathesis", reason="comes with the extra test")

from benchmarks.serving.soak import described
from benchmarks.serving.soak.faces import Faces
from benchmarks.serving.soak.fuzz import Judge, draw
from serving import ModelServer
from tests.serving import exports

NUMBER = 25


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("described")
    exports.scale(folder / "scale" / "1", 2)
    with ModelServer.on_free_ports(model_name="scale", model_base_path=str(folder / "scale")) as found:
        yield found


@pytest.fixture
def kinds(server):
    with requests.Session() as session:
        yield described.strategies(f"http://localhost:{server.rest_port}", session)


@pytest.mark.parametrize(
    ("kind", "statuses"), [(described.POSITIVE, {"200"}), (described.NEGATIVE, {"400"})], ids=["allowed", "not allowed"]
)
def test_requests_of_the_description_are_answered_as_it_says_and_a_good_one_after_each(server, kinds, kind, statuses):
    faces, seen, answers = Faces(server.grpc_port, server.rest_port, answer=2), [], []

    def use(value):
        seen.append(value)
        answers.append(Judge(faces, None)(value))

    draw(kinds[kind], NUMBER, 0, use)
    faces.close()
    assert [complaint for _, complaint in answers if complaint] == []
    assert statuses <= {status for status, _ in answers}
    assert {value.case.path.partition(":")[0].removesuffix("/metadata") for value in seen} >= {"/v1/models/scale"}
    assert len({hash(value) for value in seen}) > NUMBER / 2


class Answer:
    """An answer as schemathesis shows it to a check."""

    def __init__(self, status_code, content, content_type="application/json"):
        self.status_code = status_code
        self.content = content
        self.headers = {"content-type": [content_type]}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(500, b'{"error": "x"}'), "500: b"),
        (Answer(200, b"<html>", "text/html"), "200 as HTML"),
        (Answer(404, b"<html>", "text/html"), None),
        (Answer(200, b"\xff"), None),
    ],
)
def test_who_judges_an_answer_is_not_blind(answer, said):
    found = described.complaint(None, answer)
    assert found is None if said is None else found.startswith(said)


@pytest.mark.parametrize(("signature", "said"), [("steps", None), ("pair", "504: b")])
def test_only_who_asks_for_long_work_may_be_late(signature, said):
    class Asked:
        def __init__(self):
            self.body = {"signature_name": signature, "inputs": 339991170}

        def validate_response(self, response, checks):
            pass

    found = described.complaint(Asked(), Answer(504, b'{"error": "x"}'))
    assert found is None if said is None else found.startswith(said)


def test_an_answer_that_the_description_does_not_know_is_complained_of(server, kinds):
    cases, found = [], []
    draw(kinds[described.NEGATIVE], 1, 0, cases.append)
    case = cases[0].case
    url = f"http://localhost:{server.rest_port}/v1/models/scale:predict"
    good = requests.post(url, json={"inputs": [1]}, timeout=30)
    for content in (good.content, b'{"results": 1}', b"no JSON"):
        good._content = content
        answer = described.schemathesis.Response.from_requests(good, verify=True)
        found.append(described.complaint(case, answer))
    assert found[0] is None
    assert all(found[1:])


def test_a_server_that_is_gone_is_complained_of(tmp_path):
    exports.scale(tmp_path / "scale" / "1", 2)
    cases = []
    with requests.Session() as session:
        with ModelServer.on_free_ports(model_name="scale", model_base_path=str(tmp_path / "scale")) as server:
            kinds = described.strategies(f"http://localhost:{server.rest_port}", session)
            draw(kinds[described.NEGATIVE], 1, 0, cases.append)
        status, complaint = cases[0].send()
    assert status == "none"
    assert complaint.startswith("no answer: ConnectionError")
