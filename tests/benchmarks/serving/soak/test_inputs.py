"""The inputs, against the messages and calls that they are for."""

from benchmarks.serving.soak.fuzz import draw
from benchmarks.serving.soak.inputs import METHODS, GrpcInput, mutations, strategies


def test_there_are_messages_and_bytes_for_every_call_of_both_services():
    names = {method.rpartition("/")[2] for method in METHODS}
    assert names == {
        "Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata", "GetModelStatus",
        "HandleReloadConfigRequest",
    }  # fmt: skip
    assert {f"gRPC {name}, {kind}" for name in names for kind in ("messages", "bytes")} < set(strategies())


def test_messages_parse_as_what_their_method_takes():
    seen = []
    for kind, strategy in strategies().items():
        if kind.endswith("messages"):
            draw(strategy, 5, 0, seen.append)
    assert all(isinstance(value, GrpcInput) and METHODS[value.method].FromString(value.content) for value in seen)
    assert {value.method for value in seen} == set(METHODS)


def test_the_same_seed_draws_the_same_inputs():
    drawn = {number: [] for number in (0, 1)}
    for number, seen in drawn.items():
        draw(strategies()["REST, bytes"], 20, number, seen.append)
    again = []
    draw(strategies()["REST, bytes"], 20, 0, again.append)
    assert drawn[0] == again != drawn[1]


def test_bytes_are_overwritten_cut_doubled_and_put_in():
    content, found = bytes(range(50)), []
    draw(mutations(content), 200, 0, found.append)
    assert any(len(each) == 50 and each != content for each in found)
    assert any(len(each) < 50 for each in found)
    assert any(len(each) > 50 for each in found)
