import pytest

from serving.calls import ModelSpec
from serving.errors import InvalidArgumentError, UnavailableError
from serving.labels import Labels
from serving.model_config import ModelConfig


@pytest.fixture
def labels():
    found = Labels(lambda name: [3])
    found.replace([ModelConfig("m", "/m", labels={"stable": 3})])
    return found


def test_the_version_is_the_one_given_or_that_of_the_label_or_the_highest(labels):
    assert ModelSpec("m", version=7).resolved_version(labels) == 7
    assert ModelSpec("m", label="stable").resolved_version(labels) == 3
    assert ModelSpec("m").resolved_version(labels) is None


def test_version_0_is_a_version(labels):
    assert ModelSpec("m", version=0).resolved_version(labels) == 0


def test_a_name_is_required(labels):
    with pytest.raises(InvalidArgumentError, match=r"ModelSpec has no name specified\."):
        ModelSpec("").resolved_version(labels)


def test_an_empty_label_is_an_unknown_label(labels):
    with pytest.raises(InvalidArgumentError, match=r"Unrecognized servable version label: $"):
        ModelSpec("m", label="").resolved_version(labels)


def test_labels_need_a_list_of_models():
    with pytest.raises(UnavailableError, match=r"Model labels does not init yet\.stable"):
        ModelSpec("m", label="stable").resolved_version(Labels(lambda name: []))


def test_an_empty_signature_name_means_serving_default():
    assert ModelSpec("m").signature == "serving_default"
    assert ModelSpec("m", signature_name="step").signature == "step"
