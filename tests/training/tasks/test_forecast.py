"""The task of `forecast`: which windows it learns from, how it is measured, that it can be learned."""

import numpy as np
import pytest

from models.zoo import entry
from tests.training import made_up
from training.checkpoint import Progress
from training.errors import InputError
from training.fitting import fit, optimizer
from training.pipeline import in_memory
from training.run import with_settings
from training.tasks.forecast import RUN, prepare
from training.walk import ShuffledExamples

SMALL = {"look_back": "24", "segment": "12", "horizon": "6", "units": "16", "batch_size": "8", "stride": "5"}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return made_up.hourly_file(tmp_path_factory.mktemp("hours"))


@pytest.fixture(scope="module")
def task(path):
    return prepare(with_settings(RUN, SMALL), path)


def test_a_training_window_is_followed_by_its_target_and_both_lie_in_the_training_part(task):
    inputs, targets = task.inputs()["values"], task.targets()["forecast"]
    assert (inputs.shape, targets.shape) == ((43, 24, 2), (43, 6, 2))
    values = task.series.values
    train = values[:240].astype(float)
    for window in (0, 42):
        begin = 5 * window
        np.testing.assert_array_equal(inputs[window], values[begin : begin + 24])
        scaled = (values[begin + 24 : begin + 30] - train.mean(axis=0)) / train.std(axis=0)
        np.testing.assert_allclose(targets[window], scaled, rtol=1e-4, atol=1e-5)
    assert 5 * 42 + 30 <= 240


def test_the_test_part_is_measured_on_all_windows_in_z_scores(task):
    values, spread = task.series.values.astype(float), task.series.values[:240].astype(float).std(axis=0)
    asked = []

    def zero_change(inputs):
        asked.append(len(inputs["values"]))
        return {"forecast": np.repeat(inputs["values"][:, -1:], 6, axis=1)}

    figures = task.evaluate(zero_change, "test")
    assert sum(asked) == 80 - 6 + 1
    by_hand = [((values[end + k] - values[end - 1]) / spread) ** 2 for end in range(320, 395) for k in range(6)]
    assert figures["mse"] == pytest.approx(np.mean(by_hand), rel=1e-4)
    assert task.baselines()["last_value"]["mse"] == pytest.approx(figures["mse"], rel=1e-4)


def test_one_series_alone_is_forecast_from_itself(path):
    alone = prepare(with_settings(RUN, {**SMALL, "target": "s1"}), path)
    assert alone.inputs()["values"].shape[2] == 1
    assert alone.build()({"values": alone.inputs()["values"][:3]})["forecast"].shape == (3, 6, 1)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"target": "OT"}, r"hours\.csv: it has no series 'OT'; it has s0, s1"),
        (
            {"look_back": "30"},
            "look_back=30, segment=12, units=16, .*; expected a look_back that is a multiple of segment",
        ),
        ({"loss": "huber"}, "loss=huber: expected one of mae, mse"),
        ({"look_back": "240"}, r"leave 0 windows in the 240 time steps for the train part; expected 40 or more"),
        ({"horizon": "100"}, r"leave 0 windows in the 80 time steps for the validation part"),
    ],
)
def test_settings_that_the_data_do_not_allow_say_which_would(settings, error, path):
    with pytest.raises(InputError, match=error):
        prepare(with_settings(RUN, {**SMALL, **settings}), path)


def test_a_series_that_never_changes_is_an_error(tmp_path):
    lines = [f"{text},1" for text in made_up.hourly_lines()]
    (tmp_path / "own.csv").write_text("\n".join([lines[0][:-1] + "flat", *lines[1:]]) + "\n")
    with pytest.raises(InputError, match=r"own\.csv, column flat: found 1\.0 in all lines of the training part"):
        prepare(with_settings(RUN, SMALL), tmp_path / "own.csv")


def test_ten_windows_are_learned_by_heart(path, seqzoo_home):
    settings = {**SMALL, "epochs": "25", "batch_size": "10", "learning_rate": "1e-2", "output_dropout": "0"}
    run = with_settings(RUN, {**settings, "units": "32", "patience": "25"})
    task = prepare(with_settings(run, {"batch_size": "8"}), path)
    model = task.build()
    inputs = {"values": np.tile(task.inputs()["values"][:10], (20, 1, 1))}
    drawn = np.random.default_rng(0).normal(size=(10, 6, 2)).astype("float32")  # nothing that follows from the window
    targets = {"forecast": np.tile(drawn, (20, 1, 1))}
    losses, weights = task.losses()
    model.compile(optimizer(run, 200), loss=dict(losses), loss_weights=dict(weights))
    ask = in_memory(entry("forecast").signatures(model)["serving_default"])
    window = {"values": inputs["values"][:10], "lengths": np.full(10, 24, np.int32)}

    def error():
        said = (ask(window)["forecast"] - task.mean) / task.spread
        return {"mae": float(np.abs(said - drawn).mean())}

    before = error()["mae"]
    walk = ShuffledExamples(model, run, inputs, targets)
    progress = fit(model, run, walk, error, "mae", Progress("x", "x", {}), None, lambda *_: None, str)
    assert before > 0.8
    assert progress.best_value < 0.2
