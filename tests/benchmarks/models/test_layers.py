"""The benchmark itself, on toy sizes: does it run, and does it print what the report reads?"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.models import layers, report

ROOT = Path(__file__).parents[3]


def run(*words):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.models.layers", "--quick", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_quick_run_prints_a_line_for_each_row_and_saves_what_the_report_reads(tmp_path):
    words = ["--without-torch", "--kinds", "VanillaRNN", "--parts", "layers"]
    done = run(*words, "--save", str(tmp_path / "run.json"))
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["kind"], line["task"]) for line in lines] == [("VanillaRNN", "forward"), ("VanillaRNN", "gradients")]
    for line in lines:
        called = {"ours called"} if line["task"] == "forward" else set()  # no gradient goes through it
        assert {*line["ms"]} == {"ours", "ours compiled", "ours halves", "keras", "keras compiled"} | called
        assert line["machine"]["cores"]
        assert 0 <= max(line["apart"].values()) < 1e-4
    saved = json.loads((tmp_path / "run.json").read_text())
    assert saved["rows"] == [{name: value for name, value in line.items() if name != "machine"} for line in lines]
    assert "## Vanilla RNN, forward and backward" in report.render(saved, "run.json")


def test_where_torch_is_absent_the_run_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr(layers, "machine", lambda: {"load": "0.03"})
    assert layers.main(["--quick"]) == 2
    assert "--without-torch leaves it out" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "named"), [(["--parts", "speed"], "first_calls"), (["--kinds", "LSTMs"], "GRU")])
def test_an_unknown_part_or_kind_is_answered_with_the_known_ones(words, named, capsys):
    with pytest.raises(SystemExit):
        layers.main(words)
    assert named in capsys.readouterr().err


def test_numbers_are_printed_to_four_digits():
    assert layers.tidy({"a": [1.23456, 2], "b": {"c": 123456.7}, "d": "e"}) == {
        "a": [1.235, 2],
        "b": {"c": 123500.0},
        "d": "e",
    }
