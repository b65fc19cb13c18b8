"""/openapi.json of a real server, and schemathesis on it."""

import json

import numpy as np
import pytest
import requests

schemathesis = pytest.importorskip("schemathesis", reason="comes with the extra test")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402

from benchmarks.serving.soak.described import CONFORMANCE  # noqa: E402
from serving.openapi.document import document  # noqa: E402
from serving.server import ModelServer  # noqa: E402


@pytest.fixture(scope="module")
def described(rest):
    return rest.get("/openapi.json").json()


def test_the_document_lists_models_versions_and_labels_that_are_loaded(described):
    assert described["openapi"] == "3.1.0"
    scale = {path for path in described["paths"] if path.startswith("/v1/models/scale")}
    roots = ["", "/versions/1", "/versions/2", "/labels/stable"]  # the label `gone` points to none that is loaded
    assert scale == {f"/v1/models/scale{root}{end}" for root in roots for end in ("", "/metadata", ":predict")}
    tf1 = {path for path in described["paths"] if path.startswith("/v1/models/tf1")}
    assert "/v1/models/tf1:classify" in tf1
    assert "/v1/models/tf1/versions/123:regress" in tf1


def test_the_document_keeps_the_rules_of_openapi(described):
    schemathesis.openapi.from_dict(described).validate()


def test_without_tokens_it_asks_for_none(described):
    assert "security" not in described
    assert "securitySchemes" not in described["components"]


def test_with_tokens_it_keeps_the_rules_as_well(server):
    found = document(server.calls.loaded(), server.calls.labels(), with_tokens=True)
    schemathesis.openapi.from_dict(json.loads(found)).validate()


def test_each_path_answers(rest, described):
    for path, operations in described["paths"].items():
        for method in operations:
            answer = requests.request(method, rest.root + path, data=b"{}", timeout=30)
            assert answer.status_code in (200, 400), path
            assert "Malformed" not in answer.text


def test_a_model_that_goes_leaves_the_document_and_odd_names_are_encoded(tmp_path, written):
    base = tmp_path / "m"
    base.mkdir()
    (base / "1").symlink_to(written["scale"])
    flags = {"model_name": "a b/ü{x}", "model_base_path": str(base), "file_system_poll_wait_seconds": 0}
    with ModelServer.on_free_ports(**flags) as server:
        url = f"http://localhost:{server.rest_port}"
        (path,) = [p for p in requests.get(f"{url}/openapi.json", timeout=30).json()["paths"] if p.endswith("x%7D")]
        assert requests.get(url + path, timeout=30).json()["model_version_status"][0]["state"] == "AVAILABLE"
        server.manager.aspire("a b/ü{x}", {})
        server.manager.states.wait_until(lambda: server.manager.states.versions("a b/ü{x}")[1].state == 50, 30)
        assert requests.get(f"{url}/openapi.json", timeout=30).json()["paths"] == {}


def test_stock_routes_stay_as_they_are(rest):
    assert rest.post("/openapi.json", {}).status_code == 404
    assert rest.get("/openapi.json?x=1").status_code == 404
    assert rest.get("/openapi").status_code == 404


@pytest.mark.timeout(120)
def test_schemathesis_finds_no_crash_and_only_well_formed_answers(ask, rest, described):
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=rest.root)
    operations = [found.ok() for found in schema.get_all_operations()]
    statuses = set()
    for operation in operations:
        numbers = 20 if operation.method == "post" and "/versions/" not in operation.path else 3
        modes = (
            list(schemathesis.GenerationMode) if operation.method == "post" else [schemathesis.GenerationMode.POSITIVE]
        )
        for mode in modes:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=numbers, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            def check(case):
                response = case.call(timeout=30)
                statuses.add(response.status_code)
                if response.headers["content-type"][0].startswith("text/html"):  # a path or method that is none
                    return
                if response.status_code == 200 and not is_utf_8(response.content):
                    return  # an output of strings goes back as the bytes that it is, as in the stock server
                case.validate_response(response, checks=CONFORMANCE)
                assert response.status_code not in (500, 503)
                if response.status_code != 200:
                    assert set(json.loads(response.content)) == {"error"}

            check()
    assert {200, 400} <= statuses
    assert ask.predict("scale", {"x": np.float32([[1]])})["y"].tolist() == [[3]]
    assert rest.predict("scale", {"inputs": [1]}).json() == {"outputs": [3.0]}


def is_utf_8(content):
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
