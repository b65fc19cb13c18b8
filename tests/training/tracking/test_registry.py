"""Versions and the champion, in a real store."""

import mlflow
import pytest

from training.errors import InputError
from training.tracking import registry, store


@pytest.fixture
def experiment(seqzoo_home):
    store.connect()
    return store.use_experiment("m")


def registered(experiment, metric):
    with mlflow.start_run(experiment_id=experiment):
        mlflow.log_text("x", "model/x.txt")
        return registry.register("m", mlflow.get_artifact_uri("model"), metric)


def test_versions_are_numbered_by_the_registry(experiment):
    assert [registered(experiment, 1.0).number for _ in range(3)] == [1, 2, 3]


def test_the_champion_is_the_version_with_the_lowest_metric(experiment):
    champions = []
    for metric in (0.9, 0.7, 0.8):
        registered(experiment, metric)
        champions.append(registry.crown("m").number)
    assert champions == [1, 2, 2]
    assert registry.champion("m").number == 2


def test_of_equals_the_newest_is_champion(experiment):
    for _ in range(2):
        registered(experiment, 0.5)
    assert registry.crown("m").number == 2


def test_a_version_without_our_metric_does_not_compete(experiment):
    registered(experiment, 0.5)
    with mlflow.start_run(experiment_id=experiment):
        mlflow.register_model(mlflow.get_artifact_uri("model"), "m")
    assert registry.crown("m").number == 1


def test_without_versions_there_is_no_champion(experiment):
    with pytest.raises(InputError, match="no trained version of 'm' is registered"):
        registry.champion("m")
