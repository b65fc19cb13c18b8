"""The task of `speaker`: what it learns from, how it is measured, that it can be learned."""

import numpy as np
import pytest

from models.zoo import entry
from tests.training import made_up
from training.checkpoint import Progress
from training.errors import InputError
from training.fitting import fit, optimizer
from training.pipeline import in_memory
from training.run import with_settings
from training.tasks.speaker import RUN, prepare, requests
from training.walk import ShuffledExamples


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return prepare(RUN, made_up.ts_file(tmp_path_factory.mktemp("series")))


def test_examples_are_the_training_series_padded_with_one_at_their_label(task):
    inputs, targets = task.inputs(), task.targets()
    assert inputs["series"].shape == (18, inputs["lengths"].max(), 3)
    first = task.series.train[4]
    np.testing.assert_array_equal(inputs["series"][4, : len(first.values)], first.values)
    assert not inputs["series"][4, len(first.values) :].any()
    assert targets["scores"].sum(axis=1).tolist() == [1] * 18
    assert targets["scores"][4, task.series.labels.index(first.label)] == 1


def test_scores_are_taken_by_their_labels_whatever_the_order(task):
    def always(order):
        given = {"low": 0.7, "mid": 0.2, "high": 0.1}

        def predict(inputs):
            rows = len(inputs["lengths"])
            names = np.array([[name.encode() for name in order]] * rows, object)
            return {"labels": names, "scores": np.array([[given[name] for name in order]] * rows)}

        return predict

    one, other = (task.evaluate(always(order), "test") for order in (("low", "mid", "high"), ("high", "low", "mid")))
    assert one == other
    assert one["accuracy"] == pytest.approx(1 / 3)
    assert one["cross_entropy"] == pytest.approx(-np.log([0.7, 0.2, 0.1]).mean())
    with pytest.raises(InputError, match=r"the model was trained on the labels low, mid; .* has high, low, mid"):
        task.evaluate(always(("low", "mid")), "test")


def test_ten_examples_are_learned_by_heart(tmp_path, seqzoo_home):
    settings = {"epochs": "30", "batch_size": "10", "learning_rate": "1e-2", "input_noise": "0", "output_dropout": "0"}
    run = with_settings(RUN, settings)
    task = prepare(run, made_up.ts_file(tmp_path))
    model = task.build()
    rng = np.random.default_rng(3)  # labels that the values do not show
    inputs = {name: values[:10] for name, values in task.inputs().items()}
    targets = {"scores": np.eye(3, dtype="float32")[rng.integers(0, 3, 10)]}
    losses, weights = task.losses()
    model.compile(optimizer(run, 80), loss=dict(losses), loss_weights=dict(weights))
    predict = in_memory(entry("speaker").signatures(model)["serving_default"])

    def wrong():
        return {"wrong": float((predict(inputs)["scores"].argmax(1) != targets["scores"].argmax(1)).mean())}

    before = wrong()["wrong"]
    eight = {name: np.tile(values, (8, *[1] * (values.ndim - 1))) for name, values in {**inputs, **targets}.items()}
    said = {"scores": eight.pop("scores")}
    walk = ShuffledExamples(model, run, eight, said)
    progress = fit(model, run, walk, wrong, "wrong", Progress("x", "x", {}), None, lambda *_: None, str)
    assert before > 0.2
    assert progress.best_value == 0


def test_requests_pad_to_the_longest(task):
    asked = requests(task.series.test[:3])
    lengths = [len(each.values) for each in task.series.test[:3]]
    assert asked["lengths"].tolist() == lengths
    assert asked["series"].shape == (3, max(lengths), 3)
