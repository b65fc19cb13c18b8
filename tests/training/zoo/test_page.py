"""The page of the zoo: what a record says stands in it, and the page that is kept is made from the records that are."""

from dataclasses import replace
from pathlib import Path

import pytest

from training.zoo.page import kept, page
from training.zoo.record import Record, all_recorded

ROOT = Path(__file__).parents[3]

RECORD = Record(
    model="speaker",
    figures={"accuracy": 0.9784, "cross_entropy": 0.0961},
    intervals={"accuracy": [0.9621, 0.9919]},
    baselines={"most_frequent": {"accuracy": 0.084}, "logistic": {"accuracy": 0.962, "cross_entropy": 0.104}},
    seeds={"0": {"accuracy": 0.9784, "cross_entropy": 0.0961}, "1": {"accuracy": 0.9702, "cross_entropy": 0.1}},
    seed=0,
    run_id="0123456789abcdef",
    code_revision="fedcba9876543210",
    training_seconds=90.0,
    parameters=12345,
    precision="float16",
    weights_bytes=2**20 // 2,
    export_bytes=2**20,
    latency_ms=1.234,
    cores=2,
)


def rows(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_a_record_is_three_kinds_of_rows():
    found = rows(page({"speaker": RECORD}, {}))
    assert [
        "`speaker`", "accuracy", "0.978", "0.962 to 0.992", "0.978, 0.970", "0.976", "0.989", "must",
        "most_frequent 0.084, logistic 0.962", "echo-state network .965, LSTNet .981",
    ] in found  # fmt: skip
    assert ["`speaker`", "cross_entropy", "0.096", "", "0.096, 0.100", "", "", "", "logistic 0.104", ""] in found
    assert ["`speaker`", "12,345", "1.5 min", "1.00 MiB", "0.50 MiB, float16", "1.23 ms"] in found
    assert ["`speaker`", "japanese-vowels", "0", "0123456789ab", "fedcba987654"] in found


def test_a_variant_is_a_row_that_names_it_beside_its_own_goal():
    longer = replace(RECORD, model="forecast", figures={"mse": 0.4249}, intervals={}, seeds={}, baselines={})
    found = rows(page({"speaker": RECORD}, {"forecast": {"horizon 336": longer}}))
    assert [
        "`forecast`", "horizon 336, mse", "0.425", "", "", "0.426", "0.413", "must", "", "SegRNN .423", "1.5 min",
    ] in found  # fmt: skip


def test_what_has_no_record_has_no_row():
    assert {row[0] for row in rows(page({"speaker": RECORD}, {})) if row[0].startswith("`")} == {"`speaker`"}


def test_every_row_has_as_many_cells_as_its_head():
    tables = kept().split("##")
    for table in tables:
        assert len({len(row) for row in rows(table)}) <= 1


def test_the_page_that_is_kept_is_made_from_the_records_that_come_along():
    assert (ROOT / "docs" / "zoo.md").read_text() == kept(), "make zoo-page"


@pytest.mark.parametrize("name", all_recorded())
def test_every_record_was_trained_without_uncommitted_changes(name):
    assert not all_recorded()[name].code_revision.endswith("+changes")
