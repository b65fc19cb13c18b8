"""The whole line on a small training: what it logs, registers and exports; what ends it and how it goes on."""

import concurrent.futures
import re
import signal
import subprocess
import time

import mlflow
import numpy as np
import pytest
import tensorflow as tf

from tests.training import small
from training import checkpoint
from training.export import repository as repositories
from training.run import with_settings
from training.tasks.weather import RUN, prepare
from training.tracking import registry, store


def test_the_version_lies_in_the_repository_under_its_registered_number(trained, trained_run):
    home, result, _ = trained
    assert result.folder == home / "repository" / "weather" / str(result.version.number)
    assert repositories.versions(home / "repository", "weather") == [1]
    assert registry.champion("weather") == result.version
    assert not list((home / "repository" / "weather").glob(".incoming*"))


def test_all_that_is_written_lies_under_the_home(trained):
    home, *_ = trained
    assert {p.name for p in home.iterdir()} <= {"mlflow.db", "mlflow.lock", "artifacts", "repository"}


def test_progress_is_said_for_each_epoch(trained):
    *_, said = trained
    assert sum("epoch" in line and "left" in line for line in said) == 2


def test_the_run_holds_every_parameter(trained_run):
    expected = {name: str(value) for name, value in RUN.parameters().items()}
    expected |= {"epochs": "2", "window_days": "7", "network.units": "4"}
    assert trained_run.data.params == expected


def test_the_run_holds_figures_of_each_epoch(trained_run):
    client = mlflow.MlflowClient()
    for name in ("loss", "validation_score", "validation_temp_max_mae", "validation_rain_brier"):
        assert [m.step for m in client.get_metric_history(trained_run.info.run_id, name)] == [1, 2]


def test_the_run_holds_test_figures_beside_the_plain_guesses(trained, trained_run):
    _, result, _ = trained
    metrics = trained_run.data.metrics
    for name, value in result.test.items():
        assert metrics[f"test_{name}"] == pytest.approx(value)
    assert round(metrics["test_persistence_temp_max_mae"], 2) == 2.24
    assert round(metrics["test_persistence_temp_min_mae"], 2) == 1.49
    assert round(metrics["test_ridge_rain_brier"], 3) == 0.187
    assert metrics["best_epoch"] in (1, 2)
    assert 0 < metrics["training_seconds"] < (trained_run.info.end_time - trained_run.info.start_time) / 1e3


def test_the_run_holds_the_data_set_with_its_digest(trained_run):
    (used,) = trained_run.inputs.dataset_inputs
    assert used.dataset.name == "seattle-weather"
    assert trained_run.data.tags["data.sha256"].startswith(used.dataset.digest)
    assert trained_run.data.tags["data.sha256"].startswith("62f0609f")


def test_the_run_holds_system_metrics(trained_run):
    assert any(name.startswith("system/cpu") for name in trained_run.data.metrics)


def test_the_run_holds_pictures_card_and_environment(trained_run):
    def listed(path=""):
        return {a.path for a in mlflow.MlflowClient().list_artifacts(trained_run.info.run_id, path)}

    assert {"pictures/learning_curves.png", "pictures/forecast_against_truth.png"} <= listed("pictures")
    assert "model_card.md" in listed()
    requirements = mlflow.artifacts.load_text(f"{trained_run.info.artifact_uri}/environment/requirements.txt")
    assert re.search(r"^tensorflow==2\.", requirements, re.MULTILINE)


def test_the_registered_model_loads_by_mlflow_and_answers_its_input_example(trained, trained_run):
    _, result, _ = trained
    model = mlflow.pyfunc.load_model(f"models:/weather/{result.version.number}")
    assert {i.name for i in model.metadata.signature.inputs.inputs} == {
        "precipitation", "temp_max", "temp_min", "wind", "day_of_year", "lengths",
    }  # fmt: skip
    answer = model.predict(model.input_example)
    assert {name: value.shape for name, value in answer.items()} == {
        "temp_max": (1,), "temp_min": (1,), "rain_probability": (1,),
    }  # fmt: skip
    again = mlflow.pyfunc.load_model("models:/weather@champion").predict(model.input_example)
    np.testing.assert_array_equal(again["temp_max"], answer["temp_max"])


def test_lineage_names_run_data_code_and_figures(trained):
    _, result, _ = trained
    lineage = repositories.lineage(result.folder)
    assert lineage["run_id"] == result.version.run_id
    assert lineage["data_sha256"].startswith("62f0609f")
    assert lineage["metrics"]["test_temp_max_mae"] == pytest.approx(result.test["temp_max_mae"])
    assert lineage["parameters"]["seed"] == 0
    assert lineage["code_revision"]


def test_the_card_of_the_version_has_its_figures(trained):
    _, result, _ = trained
    card = (result.folder / "assets.extra" / "model_card.md").read_text()
    assert card.startswith("# weather")
    assert f"| {result.test['temp_max_mae']:.3f} |" in card
    assert "| ridge |" in card


SETTINGS = {"epochs": "6"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A training of six epochs, in a process of its own."""
    done = small.run(small.train_command(**SETTINGS), tmp_path_factory.mktemp("undisturbed"))
    assert done.returncode == 0, done.stderr
    return done


def figures_of(done):
    """Each epoch and each test figure as it was said, but for the time that is left."""
    lines = [line for line in done.stdout.splitlines() if "weather test_" in line or "epoch" in line]
    return [re.sub(r"\s+\d+ s left", "", line) for line in lines]


def test_one_seed_gives_one_result_to_the_last_digit(undisturbed, tmp_path):
    again = small.here(tmp_path, *small.train_arguments(**SETTINGS))
    assert figures_of(again) == figures_of(undisturbed)
    assert len(figures_of(again)) == 9


def test_an_interrupted_training_is_marked_killed_and_resumes_to_the_undisturbed_end(
    undisturbed, tmp_path, monkeypatch
):
    home = tmp_path / "interrupted"
    process = subprocess.Popen(
        small.train_command(**SETTINGS), env=small.environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    for line in process.stdout:
        if "epoch 2/6" in line:
            process.send_signal(signal.SIGTERM)
            break
    _, errors = process.communicate(timeout=small.SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM; `seqzoo train weather --resume` goes on from the last finished epoch" in errors

    monkeypatch.setenv("SEQZOO_HOME", str(home))
    progress, _ = checkpoint.load(checkpoint.newest("weather"))
    store.connect()
    assert mlflow.get_run(progress.run_id).info.status == "KILLED"
    assert not repositories.versions(home / "repository", "weather")

    resumed = small.run([*small.train_command(**SETTINGS), "--resume"], home)
    assert resumed.returncode == 0, resumed.stderr
    ends = [[line for line in o.stdout.splitlines() if "weather test_" in line] for o in (undisturbed, resumed)]
    assert ends[0] == ends[1]
    run = mlflow.get_run(progress.run_id)
    assert run.info.status == "FINISHED"
    steps = [m.step for m in mlflow.MlflowClient().get_metric_history(progress.run_id, "validation_score")]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert checkpoint.newest("weather") is None


@pytest.fixture(scope="module")
def two_trainings(tmp_path_factory):
    """(home, (seed 1, seed 2)): at the same time, the second with arithmetic of its own."""
    home, faster = tmp_path_factory.mktemp("two"), ["--mixed-precision", "--jit-compile"]
    commands = small.train_command(seed=1), [*small.train_command(seed=2), *faster]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return home, tuple(pool.map(lambda command: small.run(command, home), commands))


def test_two_trainings_that_share_a_store_get_a_version_each(two_trainings):
    home, (first, second) = two_trainings
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert repositories.versions(home / "repository", "weather") == [1, 2]
    for number in (1, 2):
        folder = home / "repository" / "weather" / str(number)
        said = first if repositories.lineage(folder)["parameters"]["seed"] == 1 else second
        assert f"weather version {number} lies in {folder}" in said.stdout


def test_what_was_trained_in_bfloat16_with_compiled_steps_answers_in_float32_as_its_figures_say(two_trainings):
    folders = [two_trainings[0] / "repository" / "weather" / number for number in "12"]
    (folder,) = (f for f in folders if repositories.lineage(f)["parameters"]["precision"] == "mixed_bfloat16")
    serving = tf.saved_model.load(str(folder)).signatures["serving_default"]
    assert {spec.dtype for spec in serving.structured_outputs.values()} == {tf.float32}

    def predict(inputs):
        return {n: v.numpy() for n, v in serving(**{n: tf.constant(a) for n, a in inputs.items()}).items()}

    found = prepare(with_settings(RUN, small.SMALL)).evaluate(predict, "test")
    said = repositories.lineage(folder)["metrics"]
    assert found == pytest.approx({name: said[f"test_{name}"] for name in found}, rel=1e-5)


def test_resuming_with_other_settings_says_which_differ(seqzoo_home):
    run = {**RUN.parameters(), "learning_rate": 0.5}
    saved = checkpoint.Progress("weather", "abc", run, 1, 1, 1.0, {})
    checkpoint.save(saved, checkpoint.State([], [], []))
    line = small.refused("train", "weather", "--resume")
    assert "learning_rate was 0.5, now 0.003" in line
    assert "run abc" in line


def test_a_checkpoint_that_is_older_than_a_parameter_is_gone_on_with(seqzoo_home):
    old = {name: value for name, value in RUN.parameters().items() if name not in ("precision", "jit_compile")}
    checkpoint.save(
        checkpoint.Progress("weather", "abc", {**old, "seed": 9}, 1, 1, 1.0, {}), checkpoint.State([], [], [])
    )
    line = small.refused("train", "weather", "--resume", "--mixed-precision")
    assert "but seed was 9, now 0, precision was 'float32', now 'mixed_bfloat16'; give those" in line


def test_resuming_what_never_began_says_so(seqzoo_home):
    line = small.refused("train", "weather", "--resume")
    assert "no unfinished training of 'weather'" in line
    assert "train without --resume" in line


def test_a_store_that_is_down_is_one_line_and_nothing_is_trained(seqzoo_home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    began = time.monotonic()
    done = small.here(seqzoo_home, *small.train_arguments())
    small.assert_one_line_error(done, "MLFLOW_TRACKING_URI=http://127.0.0.1:9 does not answer", "unset the variable")
    assert "epoch" not in done.stdout
    assert not (seqzoo_home / "repository").exists()
    assert time.monotonic() - began < 60
