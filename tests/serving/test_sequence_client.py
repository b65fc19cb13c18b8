import numpy as np
import pytest

from serving.client import GrpcClient, RestClient
from serving.errors import Code, ServingError
from serving.http_codes import code_of
from serving.sequence_client import Sequence
from serving.server import ModelServer
from tests.serving.sequences import models
from tests.serving.sequences.driving import Late, sums
from tests.serving.sequences.models import chunk


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = models.write(models.Running(1), tmp_path_factory.mktemp("sequence-client") / "m" / "1").parent
    with ModelServer.on_free_ports(model_name="m", model_base_path=str(folder), max_sequence_number=1) as server:
        yield server


@pytest.fixture
def client(served):
    with GrpcClient(f"localhost:{served.grpc_port}", timeout=10) as client:
        yield client


class Lossy:
    """Another client whose calls are lost: before the server gets them, or their answers, by turns."""

    def __init__(self, client, code=Code.UNAVAILABLE):
        self.client, self.code, self.calls = client, code, 0

    def predict(self, *args, **more):
        self.calls += 1
        if self.calls % 3 == 1:
            raise ServingError("lost on the way there", self.code)
        answer = self.client.predict(*args, **more)
        if self.calls % 3 == 2:
            raise ServingError("lost on the way back", self.code)
        return answer


def test_steps_go_on_and_the_with_ends_the_sequence(client, served):
    a, b = chunk(2, 1)
    with client.sequence("m") as sequence:
        np.testing.assert_array_equal(sequence.step({"x": a})["y"], sums(a))
        answer = sequence.step({"x": b.tolist()}, outputs=["number"])
        assert {alias: array.tolist() for alias, array in answer.items()} == {"number": [[3]]}
        assert served.sequences._store.live("m") == 1
    assert served.sequences._store.live("m") == 0
    with pytest.raises(ServingError, match="has ended; open another one"):
        sequence.step({"x": a})


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.ABORTED])
def test_what_is_lost_is_asked_again_and_counted_once(client, code):
    chunks = chunk(1, 2, 1, 3, 1, 2)
    lossy, pauses = Lossy(client, code), []
    with Sequence([lossy], "m", pause=pauses.append) as sequence:
        for index, x in enumerate(chunks[:-1]):
            np.testing.assert_array_equal(sequence.step({"x": x})["y"], sums(*chunks[: index + 1]))
        np.testing.assert_array_equal(sequence.end({"x": chunks[-1]})["y"], sums(*chunks))
    assert lossy.calls == 3 * len(chunks)
    assert len(pauses) == 2 * len(chunks)


def test_over_http_it_is_the_same(served, client):
    a, b = chunk(2, 1)
    with RestClient(f"http://localhost:{served.rest_port}", timeout=10) as rest, rest.sequence("m") as sequence:
        np.testing.assert_array_equal(sequence.step({"x": a})["y"], sums(a))
        answer = sequence.step({"x": b.tolist()}, outputs=["number"])
        assert {alias: array.tolist() for alias, array in answer.items()} == {"number": [[3]]}
        assert sequence.end() == {}
        special = {"sequence_id": np.array([7], np.uint64), "sequence_control_input": np.array([1], np.uint32)}
        found = rest.predict("m", {"x": a, "sequence_step": np.array([0]), **special}, signature_name="step")
        assert (found["sequence_id"].tolist(), found["sequence_id"].dtype) == ([7], np.uint64)
        assert (found["sequence_step"].tolist(), found["sequence_step"].dtype) == ([0], np.int64)
        special["sequence_control_input"][0] = 2
        assert rest.predict("m", special, signature_name="step")["sequence_id"] == [7]


def test_a_sequence_taken_over_is_asked_again_over_http_too():
    a, asked = chunk(1)[0], []

    class TakenOver:
        def predict(self, *args, **more):
            asked.append(args)
            if len(asked) == 2:
                raise ServingError("Sequence x was taken over by another server; repeat the step", code_of(409))
            return {"y": sums(a)}

    sequence = Sequence([TakenOver()], "m", pause=lambda _: None)
    sequence.step({"x": a})
    np.testing.assert_array_equal(sequence.step({"x": a})["y"], sums(a))
    assert [args[1]["sequence_step"].tolist() for args in asked] == [[0], [1], [1]]


def test_the_next_server_of_the_list_is_asked_when_one_is_lost(client):
    (a,) = chunk(1)
    with GrpcClient("localhost:1", timeout=5) as lost, lost.sequence("m", client, pause=lambda _: None) as sequence:
        np.testing.assert_array_equal(sequence.step({"x": a})["y"], sums(a))
        np.testing.assert_array_equal(sequence.end({"x": a})["y"], sums(a, a))


def test_other_errors_come_at_once_and_leave_the_sequence_as_it_was(client):
    a, b = chunk(1, 1)
    with client.sequence("m") as sequence:
        sequence.step({"x": a})
        with pytest.raises(ServingError, match="Expects arg"):
            sequence.step({"x": b.astype(np.float64)})
        np.testing.assert_array_equal(sequence.step({"x": b})["y"], sums(a, b))


def test_after_its_patience_the_error_is_raised(client):
    (a,) = chunk(1)
    with client.sequence("m") as first:
        first.step({"x": a})
        second = client.sequence("m", patience=0.05)
        with pytest.raises(ServingError, match="Max sequence number has been reached") as refused:
            second.step({"x": a})
        assert refused.value.code is Code.UNAVAILABLE
    with second:
        second.step({"x": a})


def test_an_error_inside_the_with_ends_the_sequence_too(client, served):
    (a,) = chunk(1)
    with pytest.raises(ServingError, match="Expects arg"), client.sequence("m") as sequence:
        list(map(sequence.step, ({"x": a}, {"x": a.astype(np.float64)})))
    assert served.sequences._store.live("m") == 0


def test_what_has_not_begun_cannot_end(client):
    with client.sequence("m") as sequence, pytest.raises(ServingError, match="has not begun"):
        sequence.end()


@pytest.fixture
def late(served, monkeypatch):
    """From now on the server's answers come when it is opened."""

    def begin():
        found.append(Late(served.sequences._store))
        monkeypatch.setattr(served.sequences._store, "write", found[-1])
        return found[-1]

    found = []
    yield begin
    for each in found:
        each.open()


class Hasty:
    """A client that waits long for its answers, until it is told to be hasty."""

    def __init__(self, served, kind):
        make = {
            "grpc": lambda timeout: GrpcClient(f"localhost:{served.grpc_port}", timeout),
            "rest": lambda timeout: RestClient(f"http://localhost:{served.rest_port}", timeout),
        }[kind]
        self.hasty, self._patient, self._short = False, make(30), make(1)

    def predict(self, *args, **more):
        return (self._short if self.hasty else self._patient).predict(*args, **more)

    def close(self):
        self._patient.close()
        self._short.close()


@pytest.fixture(params=["grpc", "rest"])
def hasty(served, request):
    found = Hasty(served, request.param)
    yield found
    found.close()


def live(served):
    return served.sequences._store.live("m")


def refuse(sequence, late, hasty, *call):
    """Asks for what is answered too late."""
    gate, hasty.hasty = late(), True
    with pytest.raises(ServingError) as raised:
        call[0](*call[1:])
    assert raised.value.code is Code.DEADLINE_EXCEEDED
    hasty.hasty = False
    gate.open()


def test_a_step_whose_answer_came_too_late_gets_it_when_it_is_repeated(late, hasty):
    a, b, c = chunk(2, 1, 3)
    with Sequence([hasty], "m") as sequence:
        sequence.step({"x": a})
        mine = b.copy()
        refuse(sequence, late, hasty, sequence.step, {"x": mine}, ["y"])
        mine[:] = 0  # what was asked for is not what the caller's array holds by now
        for other in ({"x": c}, ["y"]), ({"x": mine}, ["y"]), ({"x": b}, ["number"]), ({"x": b.astype(float)}, ["y"]):
            with pytest.raises(ServingError, match="step 1 may have counted, its answer has not come; repeat it"):
                sequence.step(*other)
        np.testing.assert_array_equal(sequence.step({"x": b}, ["y"])["y"], sums(a, b))
        np.testing.assert_array_equal(sequence.step({"x": c})["y"], sums(a, b, c))


def test_so_do_a_start_and_an_end(late, hasty, served):
    a, b = chunk(2, 1)
    with Sequence([hasty], "m") as sequence:
        refuse(sequence, late, hasty, sequence.step, {"x": a})
        np.testing.assert_array_equal(sequence.step({"x": a})["y"], sums(a))
        refuse(sequence, late, hasty, sequence.end, {"x": b})
        np.testing.assert_array_equal(sequence.end({"x": b})["y"], sums(a, b))
    assert live(served) == 0


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("leave", ["with", "end"])
def test_a_sequence_ends_though_a_step_may_have_counted(late, hasty, served, before, leave):
    sequence = Sequence([hasty], "m")
    for x in chunk(*[1] * before):
        sequence.step({"x": x})
    with sequence:
        refuse(sequence, late, hasty, sequence.step, {"x": chunk(3)[0]})
        assert live(served)
        if leave == "end":
            assert sequence.end() == {}
    assert live(served) == 0
    with pytest.raises(ServingError, match="has ended; open another one"):
        sequence.step({"x": chunk(3)[0]})


def test_a_step_that_is_broken_off_ends_with_the_block(client, served):
    (a,) = chunk(1)

    class Broken:
        """Its user loses patience when the server has answered."""

        calls = 0

        def predict(self, *args, **more):
            answer = client.predict(*args, **more)
            self.calls += 1
            if self.calls == 2:
                raise KeyboardInterrupt
            return answer

    sequence = Sequence([Broken()], "m")
    sequence.step({"x": a})
    with pytest.raises(KeyboardInterrupt), sequence:
        sequence.step({"x": a})
    assert live(served) == 0


class Scripted:
    """Raises errors of these codes, one with each call; then answers."""

    def __init__(self, *codes):
        self.codes = list(codes)

    def predict(self, model, inputs, **more):
        if self.codes:
            raise ServingError("no", self.codes.pop(0))
        return {"y": np.array([[1]])}


@pytest.mark.parametrize(
    ("codes", "may_have_counted"),
    [
        ([Code.INVALID_ARGUMENT], False),
        ([Code.INTERNAL], False),
        ([Code.RESOURCE_EXHAUSTED], False),
        ([Code.DEADLINE_EXCEEDED], True),
        ([Code.UNKNOWN], True),
        ([Code.UNAVAILABLE, Code.INVALID_ARGUMENT], False),
        ([Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED], True),
        ([Code.ABORTED, Code.UNAUTHENTICATED], True),
    ],
)
def test_an_error_says_whether_the_step_may_have_counted(codes, may_have_counted):
    nan, other = np.array([[np.nan]]), np.array([[1.0]])
    sequence = Sequence([Scripted(*codes)], "m", pause=lambda _: None)
    with pytest.raises(ServingError):
        sequence.step({"x": nan})
    if may_have_counted:
        with pytest.raises(ServingError, match="may have counted"):
            sequence.step({"x": other})
        sequence.step({"x": nan.tolist()})
    sequence.step({"x": other})
