"""Models with other settings or data: what is trained, and that the record is what the exported version reaches."""

import hashlib
from dataclasses import replace

import pytest

from training.datasets import sigmorphon2021
from training.errors import InputError
from training.evaluation import evaluate
from training.export import packed
from training.run import with_settings
from training.tasks.table import task_module
from training.zoo import variants
from training.zoo.goals import Goal
from training.zoo.variants import VARIANTS, Variant


def test_the_record_holds_the_figures_of_the_exported_version(trained, seqzoo_home, monkeypatch, tmp_path):
    home, result, _ = trained
    monkeypatch.setenv("SEQZOO_HOME", str(home))
    monkeypatch.setattr(packed, "WEIGHTS", tmp_path)
    small = Variant("weather", "a small network", "rain_brier", Goal(0.2, 0.1))
    monkeypatch.setattr(variants, "VARIANTS", (*VARIANTS, small))
    assert variants.recorded("weather") == {}
    variants.record(small, home / "repository")
    found = variants.recorded("weather")["a small network"]
    assert found.figures == evaluate("weather", home / "repository").test
    assert found.figures == pytest.approx(result.test, abs=1e-6)
    assert found.seeds == {"0": pytest.approx(result.test)}
    assert (found.settings["network.units"], found.run_id) == ("4", result.version.run_id)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_its_settings_are_settings_of_the_model_and_differ_from_its_own(variant):
    run = task_module(variant.model).RUN
    changed = with_settings(run, variant.settings)
    assert changed != run or variant.locate


def test_its_arguments_are_those_of_the_command(monkeypatch, tmp_path):
    oil = next(variant for variant in VARIANTS if variant.name == "oil temperature, horizon 24")
    assert oil.arguments(2) == [
        "forecast", "--set", "target=OT", "--set", "horizon=24", "--set", "segment=24", "--seed", "2",
    ]  # fmt: skip
    dutch = next(variant for variant in VARIANTS if variant.name == "Dutch")
    contents = {file: str(file).encode() for file in sigmorphon2021.FILES["dut"]}
    files = tuple(
        replace(file, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        for file, content in contents.items()
    )
    monkeypatch.setitem(sigmorphon2021.FILES, "dut", files)
    for file in files:
        (tmp_path / file.data_set).mkdir(exist_ok=True)
        (tmp_path / str(file)).write_bytes(str(file).encode())
    monkeypatch.setenv("SEQZOO_DATA", str(tmp_path))
    train = tmp_path / "g2p-sigmorphon2021" / "dut_train.tsv"
    settings = ["--set", "batch_size=64", "--set", "epochs=40", "--set", "patience=40", "--set", "dropout=0.3"]
    assert dutch.arguments(0) == ["g2p", *settings, "--data", str(train), "--seed", "0"]
    train.write_bytes(b"another")
    with pytest.raises(InputError, match=r"dut_train\.tsv has 7 bytes with sha256 .*; expected .*Replace it by"):
        variants.check("g2p")


def test_a_target_is_further_than_a_must():
    for goal in (variant.goal for variant in VARIANTS):
        assert goal.moonshot < goal.target < goal.must
