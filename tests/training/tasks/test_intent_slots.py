"""The training of `intent-slots` on made-up requests: what it learns, logs and exports."""

import mlflow
import numpy as np
import pytest

from models.zoo import entry
from tests.training.utterances import write_part, write_utterances
from training.evaluation import evaluate, exported
from training.export import repository as repositories
from training.pipeline import train
from training.run import with_settings
from training.tasks.intent_slots import RUN, prepare, requests, scores
from training.tracking import store

SMALL = {"word_units": "12", "byte_units": "6", "spelling_units": "6", "units": "16", "batch_size": "5"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_utterances(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Ten utterances that are validation and test too: (home, their folder, what the pipeline returned)."""
    home, patch = tmp_path_factory.mktemp("trained"), pytest.MonkeyPatch()
    for part in ("train", "valid", "test"):
        write_part(home / "ten" / part, 10, seed=0)
    patch.setenv("SEQZOO_HOME", str(home))
    plain = {"input_dropout": "0", "output_dropout": "0", "word_dropout": "0", "average_decay": "0.5"}
    run = with_settings(RUN, {**SMALL, **plain, "epochs": "25", "learning_rate": "0.03"})
    result = train(run, home / "repository", home / "ten", say=lambda text: None)
    patch.undo()
    return home, home / "ten", result


def test_it_learns_ten_utterances_by_heart(trained):
    *_, result = trained
    assert result.test == {"slot_f1": 1.0, "intent_accuracy": 1.0, "sentence_accuracy": 1.0}


def test_the_exported_model_has_the_figures_of_the_one_in_memory(trained):
    home, ten, result = trained
    found = evaluate("intent-slots", home / "repository", data=ten)
    assert found.test == pytest.approx(result.test)
    assert set(found.baselines) == {"word_by_word"}


def test_the_run_holds_the_confusions_and_says_how_the_data_were_split(trained, monkeypatch):
    home, _, result = trained
    monkeypatch.setenv("SEQZOO_HOME", str(home))
    store.connect()
    client = mlflow.MlflowClient()
    pictures = {picture.path for picture in client.list_artifacts(result.version.run_id, "pictures")}
    assert pictures == {"pictures/learning_curves.png", "pictures/intents.png", "pictures/tags.png"}
    run = mlflow.get_run(result.version.run_id)
    assert run.data.tags["data.split"] == "split as given: train 10, validation 10, test 10 utterances"
    assert run.data.params["average_decay"] == "0.5"
    assert {"test_slot_f1", "test_word_by_word_slot_f1", "validation_error"} <= set(run.data.metrics)


def test_the_version_says_of_what_it_was_made(trained):
    *_, result = trained
    lineage = repositories.lineage(result.folder)
    assert lineage["parameters"]["network.units"] == 16
    assert lineage["metrics"]["test_slot_f1"] == pytest.approx(result.test["slot_f1"])


def test_the_exported_model_answers_any_utterance(trained):
    *_, result = trained
    answer = exported(result.folder)({"utterance": np.array(["", "play zzz in rome", "?"], object)})
    assert answer["tokens"].shape == answer["tags"].shape == (3, 4)
    assert (answer["tags"][0] == b"").all()


def test_the_tokens_of_the_signature_are_those_of_the_data(data):
    task = prepare(RUN, data)
    model = task.build()
    call = entry("intent-slots").signatures(model)["serving_default"]
    utterances = task.utterances.train[:20]
    tokens = call(requests(utterances)["utterance"].tolist())["tokens"].numpy()
    for row, utterance in zip(tokens, utterances, strict=True):
        assert tuple(t.decode() for t in row if t) == utterance.words


def test_labels_and_vocabulary_are_those_of_the_training_part(data):
    task = prepare(RUN, data)
    assert task.tags[0] == "O"
    assert task.intents == ["GetWeather", "PlayMusic"]
    assert sum(task.counts.values()) == task.lengths().sum() == (task.inputs()["tokens"] != "").sum()
    tags, lengths = task.targets()["tags"], task.lengths()
    assert all((row >= 0).sum() == length for row, length in zip(tags, lengths, strict=True))
    assert [task.tags[tag] for tag in tags[0, : lengths[0]]] == list(task.utterances.train[0].tags)


def test_figures_by_hand(data):
    one, two = prepare(RUN, data).utterances.train[:2]
    right = [(one.tags, one.intent), (two.tags, two.intent)]
    assert scores([one, two], right) == {"slot_f1": 1.0, "intent_accuracy": 1.0, "sentence_accuracy": 1.0}
    wrong_intent = scores([one, two], [(one.tags, one.intent), (two.tags, "Other")])
    assert wrong_intent == {"slot_f1": 1.0, "intent_accuracy": 0.5, "sentence_accuracy": 0.5}
    nothing = scores([one, two], [(["O"] * len(u.tags), u.intent) for u in (one, two)])
    assert nothing == {"slot_f1": 0.0, "intent_accuracy": 1.0, "sentence_accuracy": 0.0}


def test_the_score_is_the_mean_share_that_is_wrong(data):
    task = prepare(RUN, data)
    figures = {"slot_f1": 0.9, "intent_accuracy": 1.0, "sentence_accuracy": 0.8}
    assert task.score(figures, "validation") == pytest.approx(0.1)
