import numpy as np
import pytest

from serving.calls import regress
from serving.errors import InvalidArgumentError
from tests.serving.calls.signatures import signature


def refused(call, *args):
    with pytest.raises(InvalidArgumentError) as error:
        call(*args)
    return error.value.message


def test_the_one_output_is_fetched():
    assert regress.outputs(signature(), False) == ["outputs"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"inputs": ()}, "Expected one input Tensor."),
        ({"outputs": ("outputs", "more")}, "Expected one output Tensor."),
        ({"inputs": ("x",)}, "No regression inputs found in SignatureDef: inputs {\n"),
        ({"outputs": ("y",)}, "No regression outputs found in SignatureDef: inputs {\n"),
    ],
)
def test_a_signature_that_does_not_regress_is_refused(given, text):
    assert refused(regress.outputs, signature(**given), False).startswith(text)


def test_the_method_name_counts_only_when_it_is_checked():
    assert regress.outputs(signature(method="odd"), False)
    assert refused(regress.outputs, signature(method="odd"), True) == (
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: odd"
    )


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_a_result_is_one_number_for_each_example(shape):
    assert regress.result({"outputs": np.float32([1, 2]).reshape(shape)}, 2).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((2, 2), "f"), "[batch_size] or [batch_size, 1] but got [2,2]"),
        (np.float32(1), "[batch_size] or [batch_size, 1] but got []"),
        (np.zeros((2, 1, 1), "f"), "[batch_size] or [batch_size, 1] but got [2,1,1]"),
    ],
)
def test_a_result_of_another_shape_is_refused(array, text):
    assert refused(regress.result, {"outputs": array}, 2) == f"Expected output Tensor shape to be either {text}"


def test_a_result_of_another_size_or_dtype_is_refused():
    assert refused(regress.result, {"outputs": np.float32([1])}, 2) == (
        "Input batch size did not match output batch size: 2 vs. 1"
    )
    assert (
        refused(regress.result, {"outputs": np.int64([1])}, 1) == "Expected output Tensor of DT_FLOAT.  Got: DT_INT64"
    )
