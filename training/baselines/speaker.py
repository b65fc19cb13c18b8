"""Series to labels without a recurrence: the most frequent label, and a logistic regression on each channel's shape.

    most_frequent: every series as the label that most training series have
    logistic:      softmax( W x ),   x = mean and standard deviation of each channel over time, scaled

On the Japanese vowels (270 training series, of which 54 choose the strength, and 370 test series): accuracy .084 and
.962.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from training.datasets.japanese_vowels import SplitSeries
from training.datasets.labelled_series import LabelledSeries

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
LEAST_PROBABILITY = 1e-12  # what a logarithm is taken of at least


def baselines(data: SplitSeries) -> dict[str, dict[str, float]]:
    """The test figures of both, by name; the strength of the logistic regression is chosen on the validation part."""
    frequency = Counter(each.label for each in data.train)
    shares = np.array([frequency[label] / len(data.train) for label in data.labels])
    fitted = min(
        (_fit(data.train, strength) for strength in STRENGTHS),
        key=lambda found: scores(data.labels, data.validation, _probabilities(found, data, data.validation))[
            "cross_entropy"
        ],
    )
    return {
        "most_frequent": scores(data.labels, data.test, np.tile(shares, (len(data.test), 1))),
        "logistic": scores(data.labels, data.test, _probabilities(fitted, data, data.test)),
    }


def scores(labels: Sequence[str], truth: Sequence[LabelledSeries], probabilities: np.ndarray) -> dict[str, float]:
    """accuracy from 0 to 1, and cross_entropy in nats; probabilities [series, labels], in the order of labels."""
    positions = [list(labels).index(each.label) for each in truth]
    of_truth = probabilities[np.arange(len(truth)), positions]
    return {
        "accuracy": float(np.mean(np.argmax(probabilities, axis=1) == positions)),
        "cross_entropy": float(-np.mean(np.log(np.maximum(of_truth, LEAST_PROBABILITY)))),
    }


def _features(series: Sequence[LabelledSeries]) -> np.ndarray:
    return np.array([np.concatenate([each.values.mean(axis=0), each.values.std(axis=0)]) for each in series])


def _fit(series: Sequence[LabelledSeries], strength: float) -> Pipeline:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / strength, max_iter=1000))
    return model.fit(_features(series), [each.label for each in series])


def _probabilities(fitted: Pipeline, data: SplitSeries, series: Sequence[LabelledSeries]) -> np.ndarray:
    found: np.ndarray = fitted.predict_proba(_features(series))  # in the order of its classes_, which are sorted too
    assert tuple(fitted.classes_) == data.labels
    return found
