import numpy as np
import pytest

from tests.training import made_up
from training.baselines.speaker import baselines, scores
from training.datasets.japanese_vowels import read
from training.datasets.labelled_series import LabelledSeries


def series(label):
    return LabelledSeries(np.zeros((1, 1), "float32"), label, "")


def test_accuracy_and_cross_entropy_by_hand():
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    figures = scores(("a", "b", "c"), [series("a"), series("c"), series("b")], probabilities)
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["cross_entropy"] == pytest.approx((np.log(2) - np.log(0.7) - np.log(0.3)) / 3)


def test_a_probability_of_zero_has_a_finite_cross_entropy():
    assert np.isfinite(scores(("a", "b"), [series("b")], np.array([[1.0, 0.0]]))["cross_entropy"])


def test_levels_that_tell_the_labels_apart_are_found_by_the_regression_and_not_by_the_frequency(tmp_path):
    found = baselines(read(made_up.ts_file(tmp_path)))
    assert found["most_frequent"]["accuracy"] == pytest.approx(1 / 3)
    assert found["most_frequent"]["cross_entropy"] == pytest.approx(np.log(3))
    assert found["logistic"]["accuracy"] == 1
