import numpy as np
import pytest

from serving.calls import predict
from serving.errors import ServingError
from serving.signature import Signature, Slot

AB = Signature(
    "s",
    "tensorflow/serving/predict",
    {"a": Slot("a", "a:0", 1), "b": Slot("b", "b:0", 1)},
    {"y": Slot("y", "y:0", 1), "z": Slot("z", "z:0", 1)},
)
DEFAULTS = Signature("s", "odd", AB.inputs, AB.outputs, {"b": np.float32([7])})


class Servable:
    """Gives each tensor's name back."""

    signatures = {"s": AB, "odd": DEFAULTS}  # noqa: RUF012

    def __init__(self, lost=0):
        self.lost = lost
        self.asked = []

    def run(self, feeds, fetches, timeout_ms):
        self.asked.append((dict(feeds), list(fetches), timeout_ms))
        return [np.array(name) for name in fetches][self.lost :]


def refused(call, *args):
    with pytest.raises(ServingError) as error:
        call(*args)
    return error.value.status


def feeds(signature, **inputs):
    return predict.feeds(signature, inputs, np.asarray)


def test_a_signature_is_found_by_its_name():
    assert predict.find_signature(Servable(), "s", True) is AB
    assert refused(predict.find_signature, Servable(), "x", False) == (
        'FAILED_PRECONDITION: Serving signature key "x" not found.'
    )


def test_the_method_name_counts_only_when_it_is_checked():
    assert predict.find_signature(Servable(), "odd", False) is DEFAULTS
    assert refused(predict.find_signature, Servable(), "odd", True) == (
        "INTERNAL: Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
        "tensorflow/serving/classify, tensorflow/serving/regress}. Was: odd"
    )


def test_inputs_are_fed_by_tensor_name():
    assert feeds(AB, b=2, a=1) == {"a:0": 1, "b:0": 2}


def test_absent_inputs_come_from_the_defaults():
    assert feeds(DEFAULTS, a=1)["b:0"].tolist() == [7]
    assert feeds(DEFAULTS, a=1, b=2)["b:0"] == 2


@pytest.mark.parametrize(
    ("signature", "inputs", "text"),
    [
        (
            AB,
            {"a": 1},
            "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: "
            "{b}.",
        ),
        (
            AB,
            {"a": 1, "x": 1, "w": 2},
            "input size does not match signature: 3!=2 len({a,w,x}) != len({a,b}). Sent extra: {w,x}. Missing but "
            "required: {b}.",
        ),
        (
            AB,
            {"a": 1, "x": 1},
            "Signature input alias: b(feed name: b:0) not found in request and no default value provided. Inputs "
            "expected to be in the request {a,x}, or default input alias set: ",
        ),
        (
            DEFAULTS,
            {"b": 1},
            "Signature input alias: a(feed name: a:0) not found in request and no default value provided. Inputs "
            "expected to be in the request {b}, or default input alias set: b",
        ),
        (
            DEFAULTS,
            {"a": 1, "x": 1},
            "Inputs contains invalid name. Used request inputs: a, request input: a,x",
        ),
    ],
)
def test_aliases_that_do_not_fit_are_refused_with_the_stock_text(signature, inputs, text):
    assert refused(predict.feeds, signature, inputs, np.asarray) == f"INVALID_ARGUMENT: {text}"


def test_an_input_that_does_not_decode_is_named():
    def decode(value):
        raise ValueError(value)

    assert refused(predict.feeds, AB, {"a": 1, "b": 2}, decode) == "INVALID_ARGUMENT: tensor parsing error: a"


def test_a_missing_alias_comes_before_one_that_does_not_decode_only_in_the_order_of_the_names():
    def decode(value):
        if value == "bad":
            raise ValueError
        return value

    assert refused(predict.feeds, DEFAULTS, {"a": "bad", "x": 1}, decode) == "INVALID_ARGUMENT: tensor parsing error: a"


def test_without_a_filter_all_outputs_are_wanted_else_those_named_in_that_order():
    assert [slot.alias for slot in predict.wanted_outputs(AB, [])] == ["y", "z"]
    assert [slot.alias for slot in predict.wanted_outputs(AB, ["z", "y"])] == ["z", "y"]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["y", "q"], "output tensor alias not found in signature: q Outputs expected to be in the set {y,z}."),
        (["y", "y"], "duplicate output tensor alias: y"),
    ],
)
def test_a_filter_that_does_not_fit_is_refused_with_the_stock_text(names, text):
    assert refused(predict.wanted_outputs, AB, names) == f"INVALID_ARGUMENT: {text}"


def test_a_run_gives_outputs_by_alias_and_fetches_each_tensor_once():
    servable = Servable()
    found = predict.run(servable, {}, [Slot("y", "y:0", 1), Slot("again", "y:0", 1), Slot("z", "z:0", 1)], 5)
    assert {alias: str(array) for alias, array in found.items()} == {"y": "y:0", "again": "y:0", "z": "z:0"}
    assert servable.asked == [({}, ["y:0", "z:0"], 5)]


def test_a_wrong_number_of_outputs_is_the_servers_fault():
    assert refused(predict.run, Servable(lost=1), {}, [Slot("y", "y:0", 1)], None) == "UNKNOWN: Predict internal error"
