import threading

import numpy as np
import pytest

from serving.client import ClientError, GrpcClient, RestClient
from serving.errors import Code
from tests.serving import busy, exports


@pytest.fixture(params=["grpc", "rest"])
def client(request, server):
    """Our client of each face."""
    made = (
        GrpcClient(f"localhost:{server.grpc_port}")
        if request.param == "grpc"
        else RestClient(f"http://localhost:{server.rest_port}")
    )
    with made:
        yield made


def test_numpy_goes_in_and_comes_out(client):
    found = client.predict("scale", {"x": np.float32([[1], [2]])})
    assert found["y"].dtype == np.float32
    assert found["y"].tolist() == [[3], [6]]


def test_lists_get_the_dtype_of_the_signature(client):
    found = client.predict("kinds", {"a": [[1, 2]], "b": [[3, 4]]}, signature_name="two")
    assert {alias: (str(array.dtype), array.tolist()) for alias, array in found.items()} == {
        "sum": ("float32", [[4, 6]]),
        "twice": ("int64", [[6, 8]]),
    }


def test_a_version_or_a_label_can_be_asked_for(client):
    assert client.predict("scale", {"x": [1.0]}, version=1)["y"].tolist() == [2]
    assert client.predict("scale", {"x": [1.0]}, label="stable")["y"].tolist() == [2]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int32", "int64", "uint8", "uint64", "bool"])
def test_dtypes_stay(client, dtype):
    array = np.array([[0, 1]], dtype)
    found = client.predict("kinds", {"x": array}, signature_name=f"echo_{dtype}")["y"]
    assert (found.dtype, found.tolist()) == (array.dtype, array.tolist())


def test_numbers_that_are_not_finite_stay(client):
    array = np.float32([np.nan, np.inf, -np.inf, 1 / 3])
    found = client.predict("kinds", {"x": array}, signature_name="echo_float32")["y"]
    assert np.array_equal(found, array, equal_nan=True)


def test_text_and_bytes(client):
    found = client.predict("kinds", {"s": ["é", b"a"]}, signature_name="text")
    assert found["shout"].tolist() == ["é!".encode(), b"a!"]
    assert found["raw_bytes"].tolist() == ["é".encode(), b"a"]


@pytest.mark.parametrize(
    ("model", "inputs", "code", "text"),
    [
        ("nope", {"x": np.float32([1])}, Code.NOT_FOUND, "Servable not found for request: Latest(nope)"),
        ("scale", {"x": np.array(["a"])}, Code.INVALID_ARGUMENT, "float"),
    ],
)
def test_an_error_has_the_servers_code_and_text(client, model, inputs, code, text):
    with pytest.raises(ClientError) as error:
        client.predict(model, inputs)
    assert error.value.code is code
    assert text in error.value.message


def test_status_and_signatures(client):
    assert client.status("scale") == {2: "AVAILABLE", 1: "AVAILABLE"}
    assert client.status("scale", version=1) == {1: "AVAILABLE"}
    assert set(client.signatures("scale", label="stable")) == {"serving_default", "__saved_model_init_op"}


def test_a_call_that_takes_too_long_ends_with_the_deadline(server):
    slow = {"steps": np.int32(200_000)}
    for client in (
        GrpcClient(f"localhost:{server.grpc_port}", timeout=0.01),
        RestClient(f"http://localhost:{server.rest_port}", timeout=0.01),
    ):
        with client, pytest.raises(ClientError) as error:
            client.predict("kinds", slow, signature_name="steps")
        assert error.value.code is Code.DEADLINE_EXCEEDED


def test_a_server_that_is_not_there_is_unavailable():
    for client in (GrpcClient("localhost:1", timeout=2), RestClient("http://localhost:1", timeout=2)):
        with client, pytest.raises(ClientError) as error:
            client.status("m")
        assert error.value.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)


def test_outputs_can_be_picked_over_grpc(server):
    with GrpcClient(f"localhost:{server.grpc_port}") as client:
        inputs = {"a": [[1, 2]], "b": [[3, 4]]}
        assert list(client.predict("kinds", inputs, signature_name="two", outputs=["sum"])) == ["sum"]


def test_a_grpc_client_may_be_used_by_many_threads(server):
    with GrpcClient(f"localhost:{server.grpc_port}") as client:
        found = []

        def ask(value):
            found.append((value, float(client.predict("scale", {"x": np.float32([value])})["y"][0])))

        threads = [threading.Thread(target=ask, args=(value,)) for value in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(found) == [(value, 3.0 * value) for value in range(16)]


def test_the_echoes_of_all_dtypes_are_known_to_the_client():
    from serving.client import _to_array

    for dtype in exports.WHOLE:
        assert _to_array(np.zeros(1, dtype)).dtype == dtype


def test_a_call_that_is_unavailable_twice_is_answered_over_grpc():
    with busy.grpc_server(times=2) as (address, counted), GrpcClient(address, timeout=60) as client:
        assert client.predict("m", {"x": np.float32([1])})["y"].tolist() == [7]
        assert counted.asked == 3


def test_a_request_that_is_answered_with_503_twice_is_answered_over_http():
    with busy.http_server(times=2) as (url, counted, _), RestClient(url, timeout=60) as client:
        assert client.predict("m", {"x": np.float32([1])})["y"].tolist() == [7]
        assert counted.asked == 3


def test_a_server_that_stays_unavailable_is_asked_four_times_or_as_often_as_the_caller_wants():
    for retries, tries in ((None, 4), (1, 2), (0, 1)):
        given = {} if retries is None else {"retries": retries}
        with busy.grpc_server(times=99) as (address, by_grpc), busy.http_server(times=99) as (url, by_http, _):
            for client in (GrpcClient(address, timeout=60, **given), RestClient(url, timeout=60, **given)):
                with client, pytest.raises(ClientError, match="busy") as error:
                    client.predict("m", {"x": np.float32([1])})
                assert error.value.code is Code.UNAVAILABLE
        assert (by_grpc.asked, by_http.asked) == (tries, tries)


def test_a_step_of_a_sequence_is_not_tried_again_behind_its_back():
    step = {"x": np.float32([1]), "sequence_id": np.array(["a"]), "sequence_control_input": np.uint32([0])}
    with busy.grpc_server(times=1) as (address, by_grpc), busy.http_server(times=1) as (url, by_http, _):
        for client in (GrpcClient(address, timeout=60), RestClient(url, timeout=60)):
            with client, pytest.raises(ClientError, match="busy"):
                client.predict("m", step, signature_name="step")
    assert (by_grpc.asked, by_http.asked) == (1, 1)


@pytest.mark.parametrize("retries", [0, 3])
def test_a_kept_connection_that_the_server_has_closed_is_made_anew(retries):
    with (
        busy.http_server(times=0, requests_of_a_connection=2) as (url, counted, closed),
        RestClient(url, timeout=60, retries=retries) as client,
    ):
        for asked in (1, 2, 3):
            assert client.predict("m", {"x": np.float32([1])})["y"].tolist() == [7]
            assert counted.asked == asked
            if asked != 2:  # the first took two requests: the second asks for the dtype of the output
                assert closed.wait(60)
                closed.clear()
