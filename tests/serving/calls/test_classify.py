import numpy as np
import pytest

from serving.calls import classify
from serving.errors import InvalidArgumentError
from tests.serving.calls.signatures import signature

LABELS = np.array([[b"a", b"b"], [b"c", b"d"]], object)
SCORES = np.float32([[1, 2], [3, 4]])


def refused(call, *args):
    with pytest.raises(InvalidArgumentError) as error:
        call(*args)
    return error.value.message


@pytest.mark.parametrize("outputs", [("classes",), ("scores",), ("classes", "scores")])
def test_either_output_or_both_are_fetched(outputs):
    assert classify.outputs(signature(outputs=outputs), False) == list(outputs)


def test_an_output_of_another_name_is_not_fetched():
    assert classify.outputs(signature(outputs=("scores", "other")), False) == ["scores"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"inputs": ()}, "Expected one input Tensor."),
        ({"inputs": ("inputs", "more")}, "Expected one input Tensor."),
        ({"outputs": ()}, "Expected one or two output Tensors, found 0"),
        ({"outputs": ("a", "b", "c")}, "Expected one or two output Tensors, found 3"),
        ({"inputs": ("x",), "outputs": ("scores",)}, "No classification inputs found in SignatureDef: inputs {\n"),
        (
            {"outputs": ("y",)},
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            "Signature was: inputs {\n",
        ),
    ],
)
def test_a_signature_that_does_not_classify_is_refused(given, text):
    assert refused(classify.outputs, signature(**given), False).startswith(text)


def test_the_method_name_counts_only_when_it_is_checked():
    found = signature(outputs=("scores",), method="odd")
    assert classify.outputs(found, False)
    assert refused(classify.outputs, found, True) == (
        "Expected classification signature method_name to be tensorflow/serving/classify. Was: odd"
    )
    assert classify.outputs(signature(outputs=("scores",), method=classify.METHOD), True)


def test_a_result_has_labels_and_scores_where_there_are_any():
    both = classify.result({"classes": LABELS, "scores": SCORES}, 2)
    assert (both.labels is LABELS, both.scores is SCORES, both.shape) == (True, True, (2, 2))
    assert classify.result({"classes": LABELS}, 2).scores is None
    assert classify.result({"scores": SCORES}, 2).shape == (2, 2)


@pytest.mark.parametrize(
    ("values", "examples", "text"),
    [
        ({"classes": LABELS[0]}, 2, "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ({"scores": np.zeros((2, 3, 4), "f")}, 2, "Expected Tensor shape: [batch_size num_classes] but got [2,3,4]"),
        ({"classes": SCORES}, 2, "Expected classes Tensor of DT_STRING. Got: DT_FLOAT"),
        ({"scores": np.float64(SCORES)}, 2, "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
        ({"classes": LABELS}, 3, "Expected classes output batch size of 3. Got: 2"),
        ({"scores": SCORES}, 1, "Expected scores output batch size of 1. Got: 2"),
        (
            {"classes": LABELS[:, :1], "scores": SCORES},
            2,
            "Tensors class and score should match in dim_size(1). Got 1 vs. 2",
        ),
    ],
)
def test_a_result_that_does_not_fit_is_refused(values, examples, text):
    assert refused(classify.result, values, examples) == text
