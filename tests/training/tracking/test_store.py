"""Which store is used."""

import os
import subprocess
import sys

import mlflow
import pytest

from tests.training import small
from training.errors import InputError
from training.tracking import store


def test_the_default_store_and_its_artifacts_lie_under_the_home(seqzoo_home):
    store.connect()
    experiment = mlflow.get_experiment(store.use_experiment("m"))
    assert mlflow.get_tracking_uri() == f"sqlite:///{seqzoo_home / 'mlflow.db'}"
    assert (seqzoo_home / "mlflow.db").is_file()
    assert experiment.artifact_location == (seqzoo_home / "artifacts" / "m").as_uri()


def test_a_home_that_changes_changes_the_store(seqzoo_home, tmp_path, monkeypatch):
    store.connect()
    assert "MLFLOW_TRACKING_URI" not in os.environ
    monkeypatch.setenv("SEQZOO_HOME", str(tmp_path / "other"))
    store.connect()
    assert mlflow.get_tracking_uri().endswith("/other/mlflow.db")


def test_a_given_store_is_respected(seqzoo_home, tmp_path, monkeypatch):
    given = f"sqlite:///{tmp_path / 'given.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    store.connect()
    store.use_experiment("m")
    assert mlflow.get_tracking_uri() == os.environ["MLFLOW_TRACKING_URI"] == given
    assert (tmp_path / "given.db").is_file()
    assert not (seqzoo_home / "mlflow.db").exists()


def test_an_experiment_is_made_once(seqzoo_home):
    store.connect()
    assert store.use_experiment("m") == store.use_experiment("m")


def test_a_deleted_experiment_says_how_to_get_it_back(seqzoo_home):
    store.connect()
    mlflow.delete_experiment(store.use_experiment("m"))
    with pytest.raises(InputError, match=r"the experiment 'm' .* was deleted; restore it"):
        store.use_experiment("m")


def test_a_store_that_does_not_answer_is_said_at_once(seqzoo_home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"http://127.0.0.1:9 does not answer .*start that server, or unset"):
        store.connect()


def test_several_processes_may_make_a_new_store_at_once(tmp_path):
    code = "from training.tracking import store; store.connect(); store.use_experiment('m')"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=small.environment(tmp_path), stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    errors = [process.communicate(timeout=small.SECONDS)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
