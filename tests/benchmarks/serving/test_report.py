from benchmarks.serving import report
from benchmarks.serving.goals import MUST
from tests.benchmarks.models.made_up import MACHINE
from tests.benchmarks.serving.made_up_load import BARE, load

ROWS = [
    BARE,
    *(load("ours", concurrency=at, rate=900.4, p50=0.71, p99=1) for at in (1, 8, 32, 128)),
    load("FastAPI", concurrency=32, rate=400, p50=2, p99=123.4, errors=2),
    {"part": "absent", "server": "Ray Serve"},
]


def page(**more):
    return report.render({"machine": MACHINE, "command": [], "rows": ROWS}, "x.json", **more)


def test_a_server_has_a_line_with_a_cell_for_each_number_of_connections():
    assert f"| ours | REST | {'900 / 0.71 / 1 | ' * 4}2 | 500 | 0 |" in page()
    assert "| FastAPI | REST | - | - | 400 / 2 / 123 | - | 2 | 500 | 2 |" in page()


def test_who_was_not_measured_is_named():
    assert "Not measured in this run: Ray Serve." in page()


def test_goals_stand_with_their_verdicts_and_the_reasons_under_them():
    text = page(why="### Why\n\nA profile says so.")
    assert f"| {MUST[0].text} | **held** |" in text
    assert text.index("What is asked") < text.index("### Why") < text.index("## Load")
    assert "The bare compiled call takes 0.2 ms" in text
