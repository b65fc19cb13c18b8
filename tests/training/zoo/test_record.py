"""Seeds that join a record later: of runs that differ from it in nothing else."""

from dataclasses import replace

import pytest

from training.errors import InputError
from training.export import packed, repository
from training.zoo.record import Record, add_seeds, recorded, write
from training.zoo.runs import run_of_seed

OTHERS = dict.fromkeys(("temp_max_mae", "temp_min_mae", "rain_brier"), 0.5)


@pytest.fixture
def earlier(trained, monkeypatch, tmp_path):
    """A record of seed 5, as it would be had it been trained on another day, and with another machine's store."""
    home, *_ = trained
    monkeypatch.setenv("SEQZOO_HOME", str(home))
    monkeypatch.setattr(packed, "WEIGHTS", tmp_path)
    settings = run_of_seed("weather", 0).settings
    version = home / "repository/weather/1"
    packed.pack(version, packed.folder_of("weather"), half=False)
    sha256 = repository.lineage(version)["data_sha256"]
    return Record("weather", OTHERS, seed=5, seeds={"5": OTHERS}, settings=settings, data_sha256=sha256)


def test_a_run_that_differs_in_the_seed_alone_joins(trained, earlier):
    write(earlier)
    made = add_seeds("weather")
    assert made == recorded("weather")
    assert made == replace(earlier, seeds=made.seeds)
    assert made.seeds == {"0": pytest.approx(trained[1].test), "5": OTHERS}
    assert add_seeds("weather") == made


def test_the_card_that_comes_along_is_then_todays_with_the_figures_of_the_weights(earlier, monkeypatch):
    write(earlier)
    monkeypatch.setattr("training.zoo.record.card", lambda model: f"# {model}, three seeds\n")
    add_seeds("weather")
    text = (packed.folder_of("weather") / packed.EXTRA / "model_card.md").read_text()
    assert text.startswith("# weather, three seeds\n")
    assert "| weather (this version) | 0.500 | 0.500 | 0.500 |" in text
    assert f"- data_sha256: {earlier.data_sha256}" in text


def test_so_does_one_with_a_setting_that_the_record_did_not_know_yet(earlier):
    known = {name: value for name, value in earlier.settings.items() if name != "precision"}
    write(replace(earlier, settings=known))
    assert list(add_seeds("weather").seeds) == ["0", "5"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda found: {"settings": {**found.settings, "batch_size": "7"}}, id="another setting"),
        pytest.param(lambda _: {"data_sha256": "0" * 64}, id="other data"),
        pytest.param(lambda _: {"seed": 0}, id="the seed of the weights that come along"),
    ],
)
def test_any_other_does_not(earlier, change):
    kept = replace(earlier, **change(earlier))
    write(kept)
    with pytest.raises(InputError, match=r"no run of 'weather' with another seed .* `seqzoo train weather --seed"):
        add_seeds("weather")
    assert recorded("weather") == kept


def test_without_a_record_there_is_nothing_to_join(earlier):
    with pytest.raises(InputError, match=r"'weather' has no record in .*; record seed 0 first"):
        add_seeds("weather")
