"""The search for settings: nested runs, a study that goes on, early stops, the test data left alone."""

import sys

import mlflow
import pytest
from click.testing import CliRunner

from seqzoo.command import cli
from training.errors import InputError
from training.run import with_settings
from training.tasks import weather as weather_task
from training.tracking import store
from training.zoo import tuning
from training.zoo.tuning import Tuned, suggested, tune

SETTINGS = {"epochs": "2", "window_days": "7", "output_dropout": "0.5"}


class Asked:
    """In place of a trial: notes what it is asked for and answers with the highest."""

    def __init__(self):
        self.ranges = {}

    def suggest_float(self, name, low, high, **how):
        self.ranges[name] = (low, high)
        return high

    suggest_int = suggest_float


def test_learning_rate_units_and_dropouts_are_searched_unless_they_are_fixed():
    trial, run = Asked(), with_settings(weather_task.RUN, SETTINGS)
    found = suggested(trial, run, SETTINGS)
    assert trial.ranges == {
        "learning_rate": (pytest.approx(6e-4), pytest.approx(1.5e-2)), "units": (8, 32),
        "input_dropout": (0.0, 0.7), "recurrent_dropout": (0.0, 0.7),
    }  # fmt: skip
    assert found == {"learning_rate": "0.015", "units": "32", "input_dropout": "0.7", "recurrent_dropout": "0.7"}
    assert with_settings(run, found).network.units == 32


def test_a_study_goes_on_in_the_same_run_and_a_bad_trial_is_stopped(seqzoo_home, monkeypatch):
    monkeypatch.setattr(tuning, "TRIALS_BEFORE_PRUNING", 2)
    said = []
    first = tune("weather", 2, SETTINGS, say=said.append)
    assert first.trials == 2
    values, rates = [], []

    def always_worse(run, experiment, name, *, after_epoch):
        rates.append(run.parameters()["learning_rate"])
        for epoch in (1, 2, 3):
            values.append(epoch)
            after_epoch(epoch, {"validation_score": 1e6})

    monkeypatch.setattr(tuning, "train_nested", always_worse)
    again = tune("weather", 1, SETTINGS, say=said.append)
    assert (again.trials, again.pruned) == (3, 1)
    assert values == [1, 2], "stopped after the second epoch: the first one warms up"
    assert again.value == first.value
    assert again.settings == first.settings
    assert first.settings.items() >= SETTINGS.items()
    assert said[-1].startswith("  trial 2: pruned; ")

    client = mlflow.MlflowClient()
    runs = client.search_runs([client.get_experiment_by_name("weather").experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    trials = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert sorted(run.info.run_name for run in trials) == ["weather-trial0", "weather-trial1"]
    assert not {str(rate) for rate in rates} & {run.data.params["learning_rate"] for run in trials}
    assert parent.data.metrics["best_validation_score"] == first.value
    assert min(run.data.metrics["best_validation_score"] for run in trials) == first.value
    assert not any(name.startswith("test_") for run in trials for name in run.data.metrics)
    assert not client.search_registered_models()


def test_a_training_that_is_stopped_early_ends_as_finished_and_says_why(seqzoo_home):
    from training.tracking import recording
    from training.zoo.nested import StoppedError, train_nested

    store.connect()
    experiment = store.use_experiment("weather")

    def stop(epoch, figures):
        raise StoppedError(f"after epoch {epoch}")

    run = with_settings(weather_task.RUN, SETTINGS)
    with recording.recorded(experiment, "around"), pytest.raises(StoppedError, match="after epoch 1"):
        train_nested(run, experiment, "inside", after_epoch=stop)
    (inside,) = mlflow.MlflowClient().search_runs([experiment], "tags.mlflow.runName = 'inside'")
    assert inside.info.status == "FINISHED"
    assert inside.data.tags["stopped"] == "after epoch 1"


def test_no_trials_is_one_line(seqzoo_home):
    with pytest.raises(InputError, match=r"--trials 0: expected 1 or more"):
        tune("weather", 0, {})


def test_trials_that_all_diverge_are_one_line(seqzoo_home, monkeypatch):
    def diverges(run, experiment, name, *, after_epoch):
        raise FloatingPointError("the loss became nan")

    monkeypatch.setattr(tuning, "train_nested", diverges)
    said = []
    with pytest.raises(InputError, match=r"none of 2 trials of 'weather' came to its end; try a lower learning_rate"):
        tune("weather", 2, {}, say=said.append)
    assert [line.split(";")[0] for line in said] == ["  trial 0: fail", "  trial 1: fail"]


def test_without_optuna_it_says_what_to_install(seqzoo_home, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"needs optuna; `pip install 'seqzoo\[tune\]'`"):
        tune("weather", 1, {})


def test_the_command_ends_with_the_training_that_it_found(monkeypatch):
    asked = []

    def found(*given):
        asked.append(given[:4])
        return Tuned(0.25, {"epochs": "1", "units": "4"}, trials=3, pruned=1)

    monkeypatch.setattr(tuning, "tune", found)
    done = CliRunner().invoke(cli, ["tune", "weather", "--trials=2", "--set=epochs=1"], catch_exceptions=False)
    assert asked == [("weather", 2, {"epochs": "1"}, 0)]
    assert done.output.splitlines() == [
        "best of 3 trials (1 stopped early): 0.2500",
        "seqzoo train weather --set epochs=1 --set units=4",
    ]
