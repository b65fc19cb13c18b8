import hashlib
import shutil
from collections import Counter

import numpy as np
import pytest

from tests.training import made_up
from training.datasets.japanese_vowels import read
from training.errors import InputError


def ts(series):
    return "\n".join(made_up.ts_lines(series)) + "\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with made-up series for training and for the test."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "Own_TRAIN.ts").write_text(ts(made_up.labelled_series(30)))
    (folder / "Own_TEST.ts").write_text(ts(made_up.labelled_series(12, seed=1)))
    (folder / "readme.txt").write_text("not read")
    return folder


def labels_of(series):
    return Counter(each.label for each in series)


def test_of_a_folder_the_test_is_as_given_and_of_every_five_of_a_label_one_is_for_validation(folder):
    data = read(folder)
    assert labels_of(data.train) == dict.fromkeys(made_up.LABELS, 8)
    assert labels_of(data.validation) == dict.fromkeys(made_up.LABELS, 2)
    assert labels_of(data.test) == dict.fromkeys(made_up.LABELS, 4)
    written = list(made_up.labelled_series(30))
    held_out = [written[3 * place + label][0] for place in (4, 9) for label in range(3)]
    for each, values in zip(data.validation, held_out, strict=True):
        np.testing.assert_array_equal(each.values, values.astype("float32"))
    assert data.rule == (
        "of every 5 series of a label one is held out for validation: train 24, validation 6, test 12 series"
    )
    assert data.labels == ("high", "low", "mid")
    assert data.channels == 3


def test_of_one_file_validation_and_test_are_held_out(tmp_path):
    data = read(made_up.ts_file(tmp_path))
    assert (len(data.train), len(data.validation), len(data.test)) == (18, 6, 6)
    assert data.digest == hashlib.sha256((tmp_path / "series.ts").read_bytes()).hexdigest()
    where = [each.where for part in (data.train, data.validation, data.test) for each in part]
    assert len(set(where)) == 30, "no series is in two parts"


def test_a_validation_file_is_taken_as_given(folder):
    shutil.copy(folder / "Own_TEST.ts", folder / "own-valid.ts")
    data = read(folder)
    assert (len(data.train), len(data.validation), len(data.test)) == (30, 12, 12)
    assert data.rule == "as given: train 30, validation 12, test 12 series"


def test_the_digest_of_a_folder_changes_with_any_of_its_files(folder):
    before = read(folder).digest
    with (folder / "Own_TEST.ts").open("a") as stream:
        stream.write("# a comment\n")
    assert read(folder).digest != before


def test_the_table_has_a_series_a_row(folder):
    table = read(folder).table()
    assert list(table.columns) == ["part", "label", "time_steps", "mean_1", "mean_2", "mean_3"]
    assert Counter(table["part"]) == {"train": 24, "validation": 6, "test": 12}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda f: (f / "Own_TRAIN.ts").unlink(), ["own", "found no file for training; expected NAME_TRAIN.ts"]),
        (lambda f: shutil.copy(f / "Own_TEST.ts", f / "x_test.csv"), ["found Own_TEST.ts and x_test.csv", "one file"]),
        (
            lambda f: (f / "Own_TEST.ts").write_text("@data\n1:2:3:high\n1:2:3:higher\n"),
            ["Own_TEST.ts, line 3", "found the label 'higher'; expected one of the training part: high, low, mid"],
        ),
        (
            lambda f: (f / "Own_TEST.ts").write_text("@data\n1:2:high\n"),
            ["Own_TEST.ts, line 2", "found 2 channels; expected 3, as in training"],
        ),
        (
            lambda f: (f / "Own_TRAIN.ts").write_text("@data\n1:2:3:high\n"),
            ["found the labels high to train on; expected two or more"],
        ),
        (
            lambda f: (f / "Own_TRAIN.ts").write_text("@data\n1:2:3:high\n1:2:3:low\n1:2:3:mid\n"),
            ["found 3 series to train on and none for the validation part; expected 5 or more of a label"],
        ),
    ],
    ids=["no train", "two tests", "new label", "channels", "one label", "too few"],
)
def test_a_folder_that_cannot_be_used_says_why(change, parts, folder):
    change(folder)
    with pytest.raises(InputError) as told:
        read(folder)
    for part in parts:
        assert part in str(told.value)
