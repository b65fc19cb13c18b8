"""The training of `g2p` on a few words: what it learns, logs and exports."""

import mlflow
import numpy as np
import pytest

from tests.training.made_up import pairs_file
from training.evaluation import evaluate, exported
from training.pipeline import train
from training.run import with_settings
from training.tasks.g2p import RUN, STEPS, outcomes_of, prepare
from training.tracking import store

SMALL = {"embedding": "12", "encoder_units": "24", "decoder_units": "24", "encoder_layers": "1", "batch_size": "5"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Ten words that are validation and test too: (home, their folder, what the pipeline returned)."""
    home, patch = tmp_path_factory.mktemp("trained"), pytest.MonkeyPatch()
    for part in ("train", "valid", "test"):
        pairs_file(home, part, count=10)
    patch.setenv("SEQZOO_HOME", str(home))
    plain = {"dropout": "0", "unknown_rate": "0", "average_decay": "0", "label_smoothing": "0", "gradient_clip": "1"}
    run = with_settings(RUN, {**SMALL, **plain, "epochs": "32", "patience": "32", "learning_rate": "0.04"})
    result = train(run, home / "repository", home / "train.tsv", say=lambda text: None)
    patch.undo()
    return home, home / "train.tsv", result


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return prepare(RUN, pairs_file(tmp_path_factory.mktemp("pairs")))


def test_it_learns_ten_words_by_heart(trained):
    *_, result = trained
    assert result.test == {"word_error_rate": 0.0, "phoneme_error_rate": 0.0}


def test_the_exported_model_has_the_figures_of_the_one_in_memory(trained):
    home, data, result = trained
    found = evaluate("g2p", home / "repository", data=data)
    assert found.test == result.test
    assert set(found.intervals) == {"word_error_rate", "phoneme_error_rate"}


def test_the_exported_model_answers_any_word(trained):
    *_, result = trained
    answer = exported(result.folder)({"word": np.array(["", "ÉCRU", "日本"], object)})
    assert answer["phonemes"].shape == answer["scores"].shape == (3, 5)
    assert answer["scores"][0].tolist() == [1, 0, 0, 0, 0]


def test_the_run_holds_a_picture_of_attention_and_says_how_the_data_were_split(trained, monkeypatch):
    home, _, result = trained
    monkeypatch.setenv("SEQZOO_HOME", str(home))
    store.connect()
    client = mlflow.MlflowClient()
    pictures = {picture.path for picture in client.list_artifacts(result.version.run_id, "pictures")}
    assert pictures == {"pictures/learning_curves.png", "pictures/attention.png"}
    run = mlflow.get_run(result.version.run_id)
    assert run.data.tags["data.split"] == "split as given: train 10, validation 10, test 10 words"
    assert {"test_word_error_rate", "validation_word_error_rate", "validation_phoneme_error_rate"} <= set(
        run.data.metrics
    )


def test_what_the_network_is_taught_is_the_pairs(task):
    inputs, target = task.inputs(), task.targets()["target"]
    pairs = [(word.spelling, each) for word in task.words.train for each in word.pronunciations]
    assert len(pairs) == len(target) == len(inputs["source"]) == len(inputs["previous"])
    for row, (spelling, phonemes) in enumerate(pairs):
        source = inputs["source"][row]
        assert "".join(task.letters.text[token - 1] for token in source if token >= 0) == spelling.lower()
        real = target[row][target[row] >= 0]
        assert real[-1] == 0  # the end
        assert tuple(task.phonemes[token - 1] for token in real[:-1]) == phonemes
        assert inputs["previous"][row, : len(real)].tolist() == [0, *real[:-1]]


def test_batches_are_padded_to_few_lengths_that_hold_every_pair(task):
    lengths = task.lengths()
    assert set(lengths) <= set(STEPS)
    for array, padding in ((task.inputs()["source"], -1), (task.targets()["target"], -1)):
        assert all((row[length:] == padding).all() for row, length in zip(array, lengths, strict=True))


def test_the_loss_is_the_cross_entropy_of_each_word_with_smoothed_labels(task):
    logits = np.random.default_rng(0).normal(size=(1, 3, 4)).astype(np.float32)
    losses, _ = task.losses()
    likely = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    smoothed = np.full((2, 4), RUN.label_smoothing / 4)
    smoothed[0, 2] += 1 - RUN.label_smoothing
    smoothed[1, 0] += 1 - RUN.label_smoothing
    expected = -(smoothed * likely[0, :2]).sum()
    np.testing.assert_allclose(losses["target"](np.array([[2, 0, -1]]), logits), [expected], rtol=1e-5)


def test_figures_by_hand(task):
    one, two = task.words.train[:2]
    right = [one.pronunciations[0], two.pronunciations[-1]]
    assert {name: each.figure() for name, each in outcomes_of([one, two], right).items()} == {
        "word_error_rate": 0.0, "phoneme_error_rate": 0.0,
    }  # fmt: skip
    assert outcomes_of([one, two], [right[0], (*right[1], "x")])["word_error_rate"].figure() == 0.5
