"""The page of compared recurrences: a section for each model, those of others stay."""

from pathlib import Path

import numpy as np
import pytest

from training.zoo import comparison_page
from training.zoo.comparison import Compared
from training.zoo.comparison_page import page, section, sections_of

SIZES = np.array([1e-12, 1.0])


def compared(cell, *figures):
    histories, gradients = [{"loss": [2.0, 1.0]}] * len(figures), {"untrained": SIZES, "trained": 2 * SIZES}
    return Compared(cell, 4, 1234, histories, [{"accuracy": figure} for figure in figures], gradients)


def test_a_section_has_figures_gradients_and_the_settings_that_differ():
    text = section("speaker", [compared("gru", 0.5, 0.75)], {"epochs": "2"}, "pictures")
    assert "With `--set epochs=2`." in text
    assert "| gru | 4 | 1,234 | 2, 2 | 0.625 (0.500 to 0.750) |" in text
    assert "| gru | 1.0e-12 | 2.0e-12 |" in text
    assert "pictures/gradients_speaker.png" in text
    assert "With" not in section("weather", [compared("gru", 0.5)], {}, "pictures")


def test_sections_of_other_models_stay_and_stand_in_the_order_of_their_names(tmp_path, monkeypatch):
    path = tmp_path / "comparison.md"
    other = section("weather", [compared("lstm", 0.25)], {}, "pictures")
    path.write_text(page({"weather": other}))
    monkeypatch.setattr(comparison_page, "compare", lambda model, *given: [compared("gru", 0.5)])
    monkeypatch.setattr(comparison_page, "pictures", lambda *given: {})
    monkeypatch.setattr("sys.argv", ["comparison_page", str(path), "speaker"])
    for _ in range(2):
        comparison_page.main()
        assert list(sections_of(path.read_text())) == ["speaker", "weather"]
        assert sections_of(path.read_text())["weather"] == other
        assert "With `--set epochs=25`." in sections_of(path.read_text())["speaker"]


@pytest.mark.parametrize("model", sections_of(Path("docs/comparison.md").read_text()))
def test_the_pictures_of_the_page_are_there(model):
    for kind in ("comparison", "gradients"):
        assert Path(f"docs/pictures/{kind}_{model}.png").is_file()
