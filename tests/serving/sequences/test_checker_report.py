import pytest

from tests.serving.sequences.checker.report import BEGIN, END, shown, table


def part(store, seed, steps, seconds=120):
    counts = {"steps": steps, "sequences": 2, "answer: OK": steps, "answer: UNAVAILABLE": 3, "answer: NOT_FOUND": 1}
    return {"store": store, "seed": seed, "seconds": seconds, "counts": counts, "events": {"kill": 1, "swap": 2}}


def test_parts_of_a_store_are_added_up():
    lines = table([part("redis", 1, 1000), part("file", 1, 30), part("redis", 2, 500)]).splitlines()
    assert lines[2:] == [
        "| redis | 1,500 | 4 | 2 | 4 | 6 | 8 |",
        "| file | 30 | 2 | 1 | 2 | 3 | 4 |",
        "| all | 1,530 | 6 | 2 | 6 | 9 | 12 |",
    ]


def test_the_table_takes_the_place_of_the_one_before():
    result = {"machine": {"processor": "p", "cores": "2", "python": "3"}, "parts": [part("memory", 1, 5)]}
    page = shown(f"a\n{BEGIN}\nold\n{END}\nb\n", result)
    assert page.startswith(f"a\n{BEGIN}\nOn p, 2 cores, Python 3:\n\n| store |")
    assert page.endswith(f"{END}\nb\n")
    assert "old" not in page
    assert shown(page, result) == page
    with pytest.raises(ValueError, match="put them where the table belongs"):
        shown("a", result)
