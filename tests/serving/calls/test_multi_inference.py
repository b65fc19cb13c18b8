from types import SimpleNamespace

import pytest

from serving.calls import ModelSpec, classify, regress
from serving.calls.multi_inference import Task, prepare
from serving.errors import ServingError
from tests.serving.calls.signatures import signature

SERVABLE = SimpleNamespace(signatures={"r": signature(), "c": signature(outputs=("classes", "scores"))})


def task(name, signature_name, method=regress.METHOD):
    return Task(ModelSpec(name, signature_name=signature_name), method)


def refused(*tasks):
    with pytest.raises(ServingError) as error:
        prepare(SERVABLE, tasks, False)
    return error.value.status


def test_each_task_gets_its_input_and_its_outputs():
    first, second = prepare(SERVABLE, [task("m", "r"), task("m", "c", classify.METHOD)], False)
    assert (first.fed.tensor, [slot.alias for slot in first.fetched]) == ("inputs:0", ["outputs"])
    assert [slot.alias for slot in second.fetched] == ["classes", "scores"]


@pytest.mark.parametrize(
    ("tasks", "status"),
    [
        ([task("m", "r"), task("", "c")], "INVALID_ARGUMENT: Found ModelSpec with an empty model name."),
        (
            [task("m", "r"), task("n", "c")],
            "INVALID_ARGUMENT: All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        ([task("m", "r"), task("m", "r")], "INVALID_ARGUMENT: Duplicate evaluation of signature: r"),
        ([task("m", "x")], "INVALID_ARGUMENT: Requested signature not found in model graph: x"),
        ([task("m", "")], "INVALID_ARGUMENT: Requested signature not found in model graph: serving_default"),
        (
            [task("m", "r", "tensorflow/serving/predict")],
            "UNIMPLEMENTED: Unsupported signature method_name: tensorflow/serving/predict",
        ),
        ([task("m", "c")], "INVALID_ARGUMENT: Expected one output Tensor."),
    ],
)
def test_tasks_that_do_not_fit_are_refused(tasks, status):
    assert refused(*tasks) == status
