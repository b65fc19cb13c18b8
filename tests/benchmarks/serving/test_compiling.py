"""The page about compiled signatures, and a row of it from a real export."""

import json
from pathlib import Path

from benchmarks.serving import compiling

ROOT = Path(__file__).parents[3]


def test_the_page_in_the_docs_is_made_of_the_run_that_lies_beside_it():
    path = "benchmarks/results/compiling.json"
    saved = json.loads((ROOT / path).read_text())
    assert (ROOT / "docs/compiling_performance.md").read_text() == compiling.page(saved, path)


def test_a_row_has_its_ratios_and_what_is_left_its_reason():
    rows = [
        {"model": "a", "signature": "s", "tensorflow": 600.0, "plain": 300.0, "compiled": 100.0},
        {"model": "b", "signature": "t", "tensorflow": 600.0, "plain": 300.0, "why": "it has loops"},
    ]
    machine = {"processor": "P", "cores": "2", "load": "0.1", "system": "S", "python": "3", "tensorflow": "2"}
    page = compiling.page({"machine": machine, "rows": rows}, "x.json")
    assert "| `a` | `s` | 600 | 300 | 100 | 3.00 | 6.00 |" in page
    assert "- `b` `t`: it has loops" in page


def test_the_models_that_are_named_are_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compiling, "ROUNDS", 1)
    monkeypatch.setattr(compiling, "SECONDS", 0.0)
    monkeypatch.setenv("SEQZOO_HOME", str(tmp_path))
    assert compiling.main(["xor", "--save", str(tmp_path / "rows.json"), "--page", str(tmp_path / "page.md")]) == 0
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert [(row["model"], row["signature"]) for row in rows] == [("xor", "serving_default"), ("xor", "classify")]
    assert all(row[name] > 0 for row in rows for name in ("tensorflow", "plain", "compiled"))
    assert (tmp_path / "page.md").read_text() in capsys.readouterr().out
