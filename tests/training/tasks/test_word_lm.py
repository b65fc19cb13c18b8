"""The training of `word-lm` on a made-up text: what it learns, measures and exports."""

import mlflow
import numpy as np
import pytest

from training.evaluation import evaluate
from training.neural_cache import NeuralCache, chosen
from training.pipeline import train
from training.run import with_settings
from training.tasks.word_lm import RUN, prepare
from training.tracking import store

SMALL = {"units": "12", "layers": "1", "batch_size": "4", "unroll_steps": "8", "sampled_words": "5"}
STILL = {"input_dropout": "0", "dropout": "0", "recurrent_dropout": "0", "average_decay": "0.5"}


@pytest.fixture
def text(tmp_path):
    return two_lines(tmp_path)


def two_lines(folder):
    """A file that says the same two lines again and again, each part long enough for ten stretches."""
    (folder / "lines.txt").write_text("the cook bakes a pie ,\nthe cook eats a burger .\n" * 300)
    return folder / "lines.txt"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    home, patch = tmp_path_factory.mktemp("trained"), pytest.MonkeyPatch()
    patch.setenv("SEQZOO_HOME", str(home))
    run = with_settings(RUN, {**SMALL, **STILL, "epochs": "3", "learning_rate": "0.03"})
    result = train(run, home / "repository", two_lines(home), say=lambda line: None)
    patch.undo()
    return home, result


def test_it_learns_two_lines_by_heart(trained):
    _, result = trained
    assert result.test["perplexity"] < 1.7  # two lines in turn; from the three words that differ at least a little
    assert result.baselines["kneser-ney"]["perplexity"] < 1.7


def test_the_exported_model_has_the_figures_of_the_one_in_memory(trained):
    home, result = trained
    found = evaluate("word-lm", home / "repository", data=home / "lines.txt")
    assert found.test == pytest.approx(result.test, rel=1e-4)
    for name, (low, high) in found.intervals.items():
        assert low <= found.test[name] <= high


def test_the_run_holds_a_text_of_each_epoch(trained, monkeypatch):
    home, result = trained
    monkeypatch.setenv("SEQZOO_HOME", str(home))
    store.connect()
    samples = mlflow.MlflowClient().list_artifacts(result.version.run_id, "samples")
    assert len(samples) == 3
    assert {"validation_perplexity", "test_cache_perplexity"} <= set(mlflow.get_run(result.version.run_id).data.metrics)


@pytest.mark.parametrize(("part", "read"), [("test", 1.0), ("validation", 0.25)])
def test_figures_by_hand(text, part, read):
    task = prepare(with_settings(RUN, SMALL), text)
    asked = []

    def says(inputs):
        asked.append(inputs["following"].shape[0])
        nats = inputs["following"] / 10
        hidden = np.ones((*nats.shape, 12), np.float32)
        return {"nats": nats, "hidden": hidden, **{name: inputs[name] for name in ("state_1_h", "state_1_c")}}

    outcomes = task.outcomes(says, part)
    tokens = task.words.tokens(getattr(task.text, part))
    stretches = np.array_split(tokens, 10 * round(1 / read))[:: round(1 / read)]
    counted = np.concatenate(stretches)
    assert set(asked) == {10}
    assert outcomes["perplexity"].figure() == pytest.approx(np.exp(np.mean(counted / 10)))
    cache = NeuralCache(RUN.cache_window, RUN.cache_theta, RUN.cache_weight)
    if part == "test":  # the same words of the other part choose it
        rows = [row[:2000] for row in np.array_split(task.words.tokens(task.text.validation), 10)]
        cache = chosen(RUN.cache_window, [(row / 10, np.ones((len(row), 12), np.float32), row) for row in rows])
    nats = [cache.nats(row / 10, np.ones((len(row), 12), np.float32), row) for row in stretches]
    assert outcomes["cache_perplexity"].figure() == pytest.approx(np.exp(np.mean(np.concatenate(nats))))
