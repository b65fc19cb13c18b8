"""Train, validation and test, given or split off."""

from pathlib import Path

import pytest

from training.datasets.parts import complete, part_named
from training.errors import InputError

PATH = Path("own")


@pytest.mark.parametrize(
    ("name", "part"), [("train", "train"), ("DEV", "validation"), ("valid ", "validation"), ("test", "test")]
)
def test_usual_names_are_known(name, part):
    assert part_named("own.csv, line 2", name) == part


def test_another_name_is_an_error_at_its_place():
    with pytest.raises(InputError, match=r"own.csv, line 2: found 'holdout'; expected train, valid or test"):
        part_named("own.csv, line 2", "holdout")


def test_parts_that_are_given_stay_as_they_are():
    parts, rule = complete({"train": [1, 2], "validation": [3], "test": [4]}, PATH, "numbers")
    assert parts == {"train": [1, 2], "validation": [3], "test": [4]}
    assert rule == "split as given: train 2, validation 1, test 1 numbers"


def test_missing_parts_are_held_out_by_a_rule_that_is_said():
    parts, rule = complete({"train": list(range(23))}, PATH, "numbers")
    assert parts["validation"] == [0, 10, 20]
    assert parts["test"] == [1, 11, 21]
    assert sorted(parts["train"] + parts["validation"] + parts["test"]) == list(range(23))
    assert rule == (
        "of every 10 training numbers in their order one is held out for validation and one for test: "
        "train 17, validation 3, test 3 numbers"
    )


def test_one_missing_part_is_held_out_alone():
    parts, rule = complete({"train": list(range(20)), "test": [99]}, PATH, "numbers")
    assert (parts["validation"], parts["test"]) == ([0, 10], [99])
    assert "one is held out for validation: train 18" in rule


@pytest.mark.parametrize("given", [{}, {"train": [1]}, {"validation": [1], "test": [2]}])
def test_a_part_that_stays_empty_is_an_error(given):
    with pytest.raises(InputError, match=r"own: found \d numbers to train on and none for the \w+ part; expected some"):
        complete(given, PATH, "numbers")
