"""The training of `tagger` on made-up sentences: what it learns, logs and exports."""

import mlflow
import numpy as np
import pytest
import tensorflow as tf

from tests.training.sentences import write_sentences_file, write_treebank
from training.evaluation import evaluate, exported
from training.export import repository as repositories
from training.pipeline import train
from training.run import with_settings
from training.tasks.tagger import RUN, cross_entropy, prepare, said
from training.tracking import store

SMALL = {"word_units": "12", "byte_units": "6", "spelling_units": "6", "units": "16", "layers": "1", "batch_size": "5"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_treebank(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Ten sentences that are validation and test too: (home, their folder, what the pipeline said and returned)."""
    home, patch = tmp_path_factory.mktemp("trained"), pytest.MonkeyPatch()
    for part in ("train", "dev", "test"):
        write_sentences_file(home / "ten" / f"{part}.conllu", 10, seed=0)
    patch.setenv("SEQZOO_HOME", str(home))
    plain = {"input_dropout": "0", "output_dropout": "0", "word_dropout": "0", "average_decay": "0.5"}
    run = with_settings(RUN, {**SMALL, **plain, "epochs": "30", "learning_rate": "0.03"})
    lines: list[str] = []
    result = train(run, home / "repository", home / "ten", say=lines.append)
    patch.undo()
    return home, home / "ten", lines, result


def test_it_learns_ten_sentences_by_heart(trained):
    *_, result = trained
    assert result.test["upos_accuracy"] == result.test["sentence_accuracy"] == 1.0


def test_the_exported_model_has_the_figures_of_the_one_in_memory(trained):
    home, ten, _, result = trained
    found = evaluate("tagger", home / "repository", data=ten)
    assert found.test == pytest.approx(result.test)
    assert set(found.baselines) == {"dictionary"}


def test_the_run_holds_the_confusions_and_says_how_the_data_were_split(trained, monkeypatch):
    home, _, lines, result = trained
    assert "Data ten: split as given: train 10, validation 10, test 10 sentences" in lines
    monkeypatch.setenv("SEQZOO_HOME", str(home))
    store.connect()
    client = mlflow.MlflowClient()
    pictures = {picture.path for picture in client.list_artifacts(result.version.run_id, "pictures")}
    assert pictures == {"pictures/learning_curves.png", "pictures/tags.png"}
    run = mlflow.get_run(result.version.run_id)
    assert run.data.tags["data.split"] == "split as given: train 10, validation 10, test 10 sentences"
    assert run.data.params["column_weight"] == str(RUN.column_weight)
    assert {"test_upos_accuracy", "test_dictionary_upos_accuracy", "validation_error"} <= set(run.data.metrics)


def test_the_version_says_of_what_it_was_made(trained):
    *_, result = trained
    lineage = repositories.lineage(result.folder)
    assert lineage["parameters"]["network.units"] == 16
    assert lineage["metrics"]["test_upos_accuracy"] == pytest.approx(result.test["upos_accuracy"])


def test_the_exported_model_answers_any_sentence(trained):
    *_, result = trained
    answer = exported(result.folder)({"sentence": np.array(["", "The zzz bakes."], object)})
    assert answer["tokens"].shape == answer["tags"].shape == answer["tag_scores"].shape == (2, 4)
    assert (answer["tags"][0] == b"").all()
    assert (answer["tags"][1] != b"").all()


def test_vocabulary_and_labels_are_those_of_the_training_part(data):
    task = prepare(RUN, data)
    assert task.labels["tags"] == ["ADJ", "DET", "NOUN", "PROPN", "PUNCT", "VERB"]
    assert task.labels["deprel"] == ["dep0", "dep1", "dep2"]
    assert sum(task.counts.values()) == task.lengths().sum() == (task.inputs()["tokens"] != "").sum()
    first, targets = task.treebank.train[0], task.targets()
    for name in ("tags", "xpos", "feats", "deprel"):
        row = targets[name][0]
        assert [task.labels[name][n] for n in row[row >= 0]] == list(getattr(first, name))


def test_figures_by_hand(data):
    task = prepare(RUN, data)
    one = task.treebank.train[0]
    two = one._replace(words=("new", *one.words[1:]))
    wrong = ("X", *one.tags[1:])
    count = len(one.words)
    counted = task.counted([one, two], [one.tags, wrong])
    assert {name: outcome.figure() for name, outcome in counted.items()} == {
        "upos_accuracy": pytest.approx(1 - 1 / (2 * count)),
        "known_word_accuracy": 1.0,
        "new_word_accuracy": 0.0,
        "sentence_accuracy": 0.5,
    }
    assert task.score({"upos_accuracy": 0.95}, "validation") == pytest.approx(0.05)


def test_sentences_are_asked_for_word_by_word_and_answered_in_their_order(data):
    sentences = prepare(RUN, data).treebank.train

    def spells(inputs):
        return {"tags": np.array([[word.upper().encode() for word in row] for row in inputs["tokens"]], object)}

    assert said(spells, sentences) == [tuple(word.upper() for word in s.words) for s in sentences]


def test_the_dictionary_takes_its_most_common_tag_for_a_new_word(tmp_path):
    lines = ["1\t{}\t_\t{}\t_\t_\t_\t_\t_\t_\n\n".format(*pair) for pair in [("a", "N"), ("b", "N"), ("c", "V")] * 5]
    (tmp_path / "train.conllu").write_text("".join(lines))
    (tmp_path / "dev.conllu").write_text(lines[0])
    (tmp_path / "test.conllu").write_text(lines[2] + lines[0].replace("a", "new") + lines[2].replace("c", "other"))
    figures = prepare(RUN, tmp_path).baselines()["dictionary"]
    assert figures["upos_accuracy"] == pytest.approx(2 / 3)
    assert (figures["known_word_accuracy"], figures["new_word_accuracy"]) == (1.0, 0.5)


def test_the_loss_is_the_mean_over_words_and_not_over_padding():
    logits = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    labels = np.array([[1, 3, 0], [2, -1, -1]])
    likely = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    by_hand = -np.mean([np.log(likely[b, t, labels[b, t]]) for b, t in [(0, 0), (0, 1), (0, 2), (1, 0)]])
    assert cross_entropy(tf.constant(labels), tf.constant(logits)).numpy() == pytest.approx(by_hand, rel=1e-5)
