"""The page, made of made-up rows; and the page in the docs, of the run that lies beside it."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.models import report
from benchmarks.models.goals import MUST, STRICTER, TARGETS
from tests.benchmarks.models.made_up import MACHINE, grown, mib, row, timed

ROOT = Path(__file__).parents[3]
ROWS = [
    timed(0.5, 1.0, 0.25, sizes=(1, 64, 64, 64)),
    timed(100.0, 104.2, 120.0, compiled=False, sizes=(64, 128, 512, 512)),
    timed(4.0, 8.0, 16.0, kind="VanillaRNN", task="gradients", sizes=(1, 64, 64, 64)),
    timed(0.1, 0.2, 0.05, part="steps", kind="GRU", task="step", sizes=(1, 1, 64, 64)),
    timed(20.0, 30.0, 10.0, part="train", task="train", sizes=(32, 100, 32, 64)),
    timed(300.0, 600.0, 7.0, part="first_calls", task="gradients"),
    mib(ours=30.0, ours_compiled=130.0, keras=40.0, keras_compiled=100.0, torch=20.0),
    grown("time", (32, 100, 8, 8), 1.0, 50.0),
    grown("time", (32, 200, 8, 8), 1.9, 60.0),
]


@pytest.fixture
def page():
    return report.render({"machine": MACHINE, "command": [], "rows": ROWS}, "benchmarks/results/layers.json")


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def tables(page):
    """The tables by their heading: for each a dict by column and line."""
    found = {}
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title, *lines = section.splitlines()
        for block in re.findall(r"(?:^\|.*\n?)+", "\n".join(lines), re.MULTILINE):
            head, rule, *body = block.splitlines()
            assert set(rule) == {"|", "-"}
            found.setdefault(title, []).append([dict(zip(cells(head), cells(line), strict=True)) for line in body])
    return found


def test_a_row_shows_the_faster_forms_by_name_and_the_ratios_with_their_spread(page):
    (lines,) = tables(page)["LSTM, forward"]
    assert lines[0] == {
        "batch, time, input, units": "1, 64, 64, 64",
        "ours": "0.5 compiled",
        "Keras": "1 plain",
        "torch": "0.25",
        "times Keras": "2.00 (2.00 to 2.00)",
        "times torch": "0.50 (0.50 to 0.50)",
    }
    assert (lines[1]["ours"], lines[1]["Keras"], lines[1]["times torch"][:4]) == ("100 plain", "104 plain", "1.20")


def test_each_recurrence_and_task_that_was_measured_has_its_table_and_the_others_have_none(page):
    titles = [*tables(page)]
    assert "Vanilla RNN, forward and backward" in titles
    assert "GRU, forward" not in titles


def test_the_means_are_those_of_the_recurrences(page):
    *_, means = tables(page)["Vanilla RNN, forward and backward"]
    assert [line["times torch"] for line in means] == [
        "0.77",
        "4.00",
        "1.34",
    ]  # sqrt(.5 * 1.2), 4, the cube root of 2.4


def test_the_other_parts_have_their_tables(page):
    found = tables(page)
    assert found["One step of one sequence"][0][0]["times torch"].startswith("0.50")
    assert found["One training step of a whole model"][0][0]["ours"] == "20 compiled"
    assert found["The first call"][0][0]["ours"] == "3000"
    memory = found["Peak memory of a training step"][0][0]
    assert (memory["ours compiled"], memory["of Keras, plain"], memory["of Keras, compiled"]) == ("130", "0.75", "1.30")
    growth = found["Growth"][0]
    assert [line["ms"] for line in growth] == ["1 plain", "1.9 plain (1.90)"]
    assert [line["MiB"] for line in growth] == ["50", "60 (1.20)"]


def test_the_goals_stand_with_their_verdicts_and_every_miss(page):
    must, target, stricter = tables(page)["What is asked, and what is reached"]
    verdicts = {line["Must"]: line[""] for line in must}
    assert [*verdicts] == [goal.text for goal in MUST]
    assert [line["Target"] for line in target] == [goal.text for goal in TARGETS]
    assert [line["Must, read more strictly"] for line in stricter] == [goal.text for goal in STRICTER]
    assert verdicts["never slower than the better form of Keras"] == "**held**"
    assert verdicts[MUST[1].text] == (
        "**missed**<br>LSTM forward (1, 64, 64, 64): 0.5, asked 0.55"
        "<br>GRU one step (1, 1, 64, 64): 0.5, asked 0.55"
        "<br>LSTM training step of the classifier (32, 100, 32, 64): 0.5, asked 0.55"
    )


def test_the_page_names_machine_source_rounds_and_distance(page):
    prose = " ".join(page.split())
    assert "The machine: Abacus (family 1 model 2), 2 cores, 2 threads for each, load 0.03 before the run" in prose
    assert "torch 2.13.0." in prose
    assert "from `benchmarks/results/layers.json`" in prose
    assert "the best half of 1 rounds" in prose
    assert "the farthest lay 3e-07 apart" in prose


def test_the_reasons_stand_under_the_goals():
    page = report.render(
        {"machine": MACHINE, "rows": ROWS}, "x.json", why="### Why\n\nThe product alone takes longer.\n"
    )
    assert page.index("What is asked") < page.index("### Why") < page.index("## LSTM, forward")


def test_a_run_without_torch_has_dashes():
    machine = {name: value for name, value in MACHINE.items() if name != "torch"}
    page = report.render({"machine": machine, "rows": [timed(0.5, 1.0)]}, "x.json")
    (lines,) = tables(page)["LSTM, forward"]
    assert (lines[0]["torch"], lines[0]["times torch"]) == ("-", "-")
    assert "keras 3.15.1." in page


def test_a_run_of_nothing_is_a_page_of_goals_that_were_not_measured():
    page = report.render({"machine": MACHINE, "rows": [row("memory", mib={})][:0]}, "x.json")
    assert page.count("not measured") == len(MUST) + len(TARGETS) + len(STRICTER)


@pytest.mark.parametrize(
    ("value", "shown"), [(0.01234, "0.0123"), (0.5, "0.5"), (12.345, "12.3"), (99.96, "100"), (1234.5, "1234")]
)
def test_three_digits_count(value, shown):
    assert report.digits(value) == shown


def test_the_command_reads_a_run_and_writes_the_page(tmp_path):
    results, page, why = tmp_path / "run.json", tmp_path / "page.md", tmp_path / "why.md"
    results.write_text(json.dumps({"machine": MACHINE, "command": [], "rows": ROWS}))
    why.write_text("Because.")
    assert report.main([str(results), str(page), "--why", str(why)]) == 0
    assert "\n\nBecause.\n\n" in page.read_text()
    with pytest.raises(FileNotFoundError):
        report.main([str(results), str(page), "--why", str(tmp_path / "absent.md")])


def test_the_page_in_the_docs_is_made_of_the_run_that_lies_beside_it():
    results, page = ROOT / "benchmarks/results/layers.json", ROOT / "docs/performance.md"
    if not results.exists():
        pytest.skip("no run lies in benchmarks/results; `make bench-layers` makes one")
    why = ROOT / "benchmarks/results/layers_why.md"
    expected = report.render(
        json.loads(results.read_text()), "benchmarks/results/layers.json", why.read_text() if why.exists() else ""
    )
    assert page.read_text() == expected
