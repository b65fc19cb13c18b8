"""`seqzoo list` and `seqzoo info`: what is recorded of a model stands beside its goals."""

from seqzoo.listing import info, size_of, table
from training.export import packed
from training.zoo.record import recorded


def row(name, metric):
    return next(line.split() for line in table() if line.startswith(name) and f" {metric} " in line)


def test_a_row_has_the_figure_beside_its_goals():
    found = recorded("weather")
    cells = row("weather", "temp_max_mae")
    assert cells[3] == f"{found.parameters:,}" == "1,608"
    assert cells[-5:] == ["temp_max_mae", f"{found.figures['temp_max_mae']:.3f}", "2.13", "2.09", "-"]
    assert row("speaker", "accuracy")[-5:] == ["echo-state", "network", ".965,", "LSTNet", ".981"]


def test_a_model_without_weights_has_its_goals_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(packed, "WEIGHTS", tmp_path)
    assert row("weather", "temp_max_mae")[3:] == ["-", "-", "temp_max_mae", "-", "2.13", "2.09", "-"]
    assert "weights that come along" not in info("weather")


def test_the_card_ends_with_the_weights_that_come_along():
    found, text = recorded("weather"), info("weather")
    assert text.startswith("# weather\n")
    low, high = found.intervals["rain_brier"]
    line = next(line for line in text.splitlines() if line.startswith("- rain_brier"))
    assert f"{found.figures['rain_brier']:.3f} (95 % interval {low:.3f} to {high:.3f})" in line
    assert line.endswith("must 0.19, target 0.187")
    assert f"run {found.run_id}, seed 0, code {found.code_revision}" in text
    assert "beside it persistence: temp_max_mae 2.240" in text


def test_sizes_are_read_at_a_glance():
    assert [size_of(count) for count in (31_400, 999_000, 2_450_000)] == ["31 kB", "999 kB", "2.5 MB"]
