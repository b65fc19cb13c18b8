"""The weights that come along: they reach what is stated of them, on data that are here."""

import os

import pytest

from models.zoo import ZOO
from training.evaluation import evaluate
from training.export import packed
from training.export import repository as repositories
from training.export.card import card
from training.zoo.goals import GOALS, Goal
from training.zoo.record import all_recorded, recorded

QUICK = ("cook", "xor", "weather", "speaker", "intent-slots")  # evaluated in seconds
RECORDED = all_recorded()
HERE = os.environ.get("SEQZOO_TEST_DATA")


@pytest.mark.parametrize("name", [name for name in QUICK if name in RECORDED])
def test_they_reach_the_figures_that_are_stated_of_them(name, seqzoo_home, tmp_path, monkeypatch):
    if RECORDED[name].data not in (None, "seattle-weather"):
        if HERE is None:
            pytest.skip("the data do not ship; SEQZOO_DATA names a folder that has them")
        monkeypatch.setenv("SEQZOO_DATA", HERE)
    found = evaluate(name, tmp_path)
    assert found.test == pytest.approx(RECORDED[name].figures, abs=5e-4)
    for metric, interval in found.intervals.items():
        assert interval == pytest.approx(RECORDED[name].intervals[metric], abs=2e-3)


@pytest.mark.parametrize("name", RECORDED)
def test_what_must_be_reached_is_reached(name):
    for metric, goal in GOALS.get(name, {}).items():
        assert goal.reached(RECORDED[name].figures[metric]), f"{metric} {RECORDED[name].figures[metric]}, {goal}"


@pytest.mark.parametrize("name", RECORDED)
def test_the_card_and_the_lineage_that_come_along_state_the_same(name):
    found = RECORDED[name]
    if found.data is None:
        assert not packed.come_along(name)
        return
    lineage = repositories.lineage(packed.folder_of(name))
    text = (packed.folder_of(name) / "assets.extra/model_card.md").read_text(encoding="utf-8")
    assert lineage["run_id"] == found.run_id
    assert text.startswith(card(name).rstrip()), "the card was changed after the weights were recorded"
    row = next(line for line in text.splitlines() if line.startswith(f"| {name} (this version)"))
    for metric, value in found.figures.items():
        assert lineage["metrics"][f"test_{metric}"] == value
        assert f" {value:.3f} " in row
        assert found.seeds["0"][metric] == pytest.approx(value, abs=2e-3)


def test_a_model_without_weights_has_no_record(monkeypatch, tmp_path):
    monkeypatch.setattr(packed, "WEIGHTS", tmp_path)
    assert recorded("weather") is None
    assert not packed.come_along("weather")


def test_every_goal_is_of_a_model_and_a_target_is_further_than_a_must():
    assert set(GOALS) <= set(ZOO)
    for goal in (goal for goals in GOALS.values() for goal in goals.values()):
        sign = 1 if goal.higher_is_better else -1
        assert sign * goal.must <= sign * goal.target


def test_a_goal_names_the_highest_that_is_reached():
    error, share = Goal(0.3, 0.2, 0.1), Goal(0.8, 0.9)
    assert [error.reached(figure) for figure in (0.31, 0.3, 0.2, 0.05)] == ["", "must", "target", "moonshot"]
    assert [share.reached(figure) for figure in (0.7, 0.8, 0.95)] == ["", "must", "target"]
