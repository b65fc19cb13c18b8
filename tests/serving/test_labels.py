import pytest

from serving.errors import ServingError
from serving.labels import Labels
from serving.model_config import ModelConfig


@pytest.fixture
def available():
    return {"m": [1, 2], "n": [1]}


def labels(available, allow_unavailable=False):
    return Labels(lambda name: available.get(name, []), allow_unavailable)


def model(name="m", **versions):
    return ModelConfig(name, f"/{name}", labels=versions)


def refused(call, *args):
    with pytest.raises(ServingError) as error:
        call(*args)
    return error.value.status


def test_a_label_stands_for_a_version_of_its_model(available):
    found = labels(available)
    found.replace([model(stable=1, canary=2, also=2), model("n", stable=1)])
    assert [found.version("m", label) for label in ("stable", "canary", "also")] == [1, 2, 2]


@pytest.mark.parametrize(("name", "label"), [("m", "canary"), ("other", "stable"), ("n", "stable")])
def test_an_unknown_label_or_one_of_another_model_is_refused(available, name, label):
    found = labels(available)
    found.replace([model(stable=1), model("n")])
    assert refused(found.version, name, label) == f"INVALID_ARGUMENT: Unrecognized servable version label: {label}"


def test_before_any_list_of_models_labels_are_not_there_yet(available):
    assert refused(labels(available).version, "m", "x") == "UNAVAILABLE: Model labels does not init yet.x"


def test_a_label_for_a_version_that_is_not_available_is_refused_and_nothing_changes(available):
    found = labels(available)
    found.replace([model(stable=1)])
    assert refused(found.replace, [model(stable=2, canary=3)]) == (
        "FAILED_PRECONDITION: Request to assign label to version 3 of model m, which is not currently available for "
        "inference"
    )
    assert found.version("m", "stable") == 1


def test_with_the_flag_a_new_label_may_wait_for_its_version_but_not_a_moved_one(available):
    found = labels(available, allow_unavailable=True)
    found.replace([model(stable=7)])
    found.replace([model(stable=7, canary=8)])
    assert found.version("m", "canary") == 8
    assert refused(found.replace, [model(stable=9)]).startswith(
        "FAILED_PRECONDITION: Request to assign label to version 9"
    )
    found.replace([model(stable=2)])
    assert found.version("m", "stable") == 2


def test_the_map_is_replaced_as_a_whole(available):
    found = labels(available)
    found.replace([model(stable=1), model("n", stable=1)])
    found.replace([model(canary=2)])
    assert refused(found.version, "m", "stable").startswith("INVALID_ARGUMENT")
    assert refused(found.version, "n", "stable").startswith("INVALID_ARGUMENT")


def test_a_label_stays_after_its_version_has_gone(available):
    found = labels(available)
    found.replace([model(stable=1)])
    available["m"] = [2]
    assert found.version("m", "stable") == 1
