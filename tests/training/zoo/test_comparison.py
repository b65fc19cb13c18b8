"""The recurrences compared: sizes that are alike, nested runs, nothing registered; what cannot be compared."""

import mlflow
import numpy as np
import pytest

from models.zoo import entry
from tests.training import made_up, small
from tests.training.sentences import write_treebank
from tests.training.utterances import write_utterances
from training import checkpoint
from training.errors import InputError
from training.pipeline import in_memory
from training.run import with_settings
from training.tasks.table import task_module
from training.tracking import store
from training.zoo import comparison
from training.zoo.comparison import compare, units_for
from training.zoo.record import parameters_of

EXCHANGEABLE = {"weather": None, "speaker": made_up.ts_file, "intent-slots": write_utterances, "tagger": write_treebank}
SETTINGS = {"epochs": "1", "window_days": "7"}


@pytest.mark.parametrize(
    ("name", "cell"), [("weather", "vanilla"), ("speaker", "lstm"), ("intent-slots", "gru"), ("tagger", "gru")]
)
def test_a_network_answers_its_examples_with_another_recurrence(name, cell, tmp_path):
    module, data = task_module(name), EXCHANGEABLE[name]
    task = module.prepare(with_settings(module.RUN, {"cell": cell, "units": "4"}), data and data(tmp_path))
    signatures = entry(name).signatures(task.build())
    assert in_memory(signatures["serving_default"])(task.examples()["serving_default"])
    if name == "weather":
        states = {spec.name for spec in signatures["step"].input_signature if spec.name.startswith("state_")}
        assert states == {"state_h"}
        assert set(in_memory(signatures["step"])(task.examples()["step"])) > states


@pytest.mark.parametrize("wanted", [1, 130, 1000, 4321])
def test_the_nearest_even_number_of_units_is_found(wanted):
    def count(units):
        return 3 * units * units + 5 * units

    best = min(range(2, 100, 2), key=lambda units: abs(count(units) - wanted))
    assert units_for(wanted, count) == best


def test_each_recurrence_has_its_nested_run_and_nothing_is_registered(seqzoo_home, monkeypatch):
    monkeypatch.setattr(comparison, "STEPS_BACK", 5)
    said = []
    found = compare("weather", ["vanilla", "gru"], [0], SETTINGS, said.append)
    assert [each.cell for each in found] == ["vanilla", "gru"]
    task = task_module("weather").prepare(with_settings(task_module("weather").RUN, SETTINGS))
    own = parameters_of(task.build())
    for each in found:
        assert each.parameters == pytest.approx(own, rel=0.15)
        assert [len(history["validation_score"]) for history in each.histories] == [1]
        assert set(each.tests[0]) == {"temp_max_mae", "temp_min_mae", "rain_brier"}
    assert found[0].tests != found[1].tests
    for each in found:
        for sizes in each.gradients.values():
            assert sizes.shape == (5,)
            assert np.isfinite(sizes).all()

    client = mlflow.MlflowClient()
    runs = client.search_runs([client.get_experiment_by_name("weather").experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    (parent,) = parents
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    cells = sorted((run.data.params["network.cell"], run.data.params["seed"]) for run in children)
    assert cells == [("gru", "0"), ("vanilla", "0")]
    assert {a.path for a in client.list_artifacts(parent.info.run_id, "pictures")} == {
        "pictures/recurrences.png", "pictures/gradients.png",
    }  # fmt: skip
    gru = [run.data.metrics["test_rain_brier"] for run in children if run.data.params["network.cell"] == "gru"]
    assert parent.data.metrics["test_rain_brier_gru"] == pytest.approx(np.mean(gru))
    assert not client.search_registered_models()
    assert checkpoint.newest("weather") is None


def test_what_has_no_recurrence_to_exchange_says_what_has(seqzoo_home):
    store.connect()
    with pytest.raises(InputError, match=r"'char-lm' cannot be exchanged; `seqzoo compare` knows .*weather"):
        compare("char-lm", ["gru"], [0], {})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--cells=vanilla,rnn"], "cell=rnn: no recurrence has that name; expected one of vanilla, lstm, gru"),
        (["--cells=,"], "names no recurrence"),
        (["--seeds=a"], "expected whole numbers with commas between"),
    ],
)
def test_wrong_names_are_one_line(options, text, seqzoo_home):
    small.assert_one_line_error(small.here(seqzoo_home, "compare", "weather", *options), text)
