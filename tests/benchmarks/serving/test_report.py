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


def test_the_rate_of_several_passes_has_its_spread():
    ours = load("ours", rate=900.0, rounds={"rate": [850.2, 900.0, 1001.7]})
    rows = [BARE, ours, load("FastAPI", rate=300.0, rounds={"rate": [250.0, 300.0]})]
    text = report.render({"machine": MACHINE, "command": [], "rows": rows}, "x.json")
    assert "| ours | REST | 900 (850 to 1002) / 1 / 2 |" in text
    assert "the median of the passes (3 here)" in " ".join(text.split())
    assert "| ours over | by | 32 |\n|---|---|---|\n| REST | FastAPI (REST) | 3.00 (2.83 to 4.01) |" in text


def test_ours_over_each_face_is_set_against_every_rival_and_the_echo_of_its_face():
    rows = [BARE, load("ours", rate=600), load("ours", "grpc", rate=300), load("echo", rate=1200)]
    rows += [load("echo", "grpc", rate=400), load("FastAPI", concurrency=8), load("FastAPI", rate=400)]
    text = report.render({"machine": MACHINE, "command": [], "rows": rows}, "x.json")
    lines = [line for line in text.splitlines() if line.startswith(("| ours over |", "| REST |", "| gRPC |"))]
    assert lines == [
        "| ours over | by | 8 | 32 |",
        "| REST | echo (REST) | - | 0.50 |",
        "| REST | FastAPI (REST) | - | 1.50 |",
        "| gRPC | echo (gRPC) | - | 0.75 |",
        "| gRPC | FastAPI (REST) | - | 0.75 |",
    ]


def test_steps_stand_in_tables_of_their_own():
    rows = [BARE | {"step_ms": 0.1}, *ROWS[1:]]
    rows += [load(name, concurrency=1, rate=rate, request="step") for name, rate in (("ours", 3000), ("FastAPI", 1000))]
    text = report.render({"machine": MACHINE, "command": [], "rows": rows}, "x.json")
    whole, steps = text.split("## Load, one step")
    assert "or one time step [1, 1, 16] with its four states" in whole
    assert "| ours | REST | 3000 / 1 / 2 | 2 | 500 | 0 |" in steps
    assert "3000" not in whole
    assert "| REST | FastAPI (REST) | 3.00 |" in steps
    assert "## Load, one step" not in page()
    assert "one time step" not in page()


def test_the_page_says_how_and_by_what_it_was_measured():
    results = {"machine": MACHINE, "rows": ROWS}
    text = report.render({**results, "command": ["--short", "--save", "a b"]}, "x.json")
    assert "Measured by `python -m benchmarks.serving.servers --short --save 'a b'`." in text
    assert "wrk asks it again" in text  # rows from before the tool stood in them
    rows = [load("ours", tool="Python"), load("ours", "grpc", tool="h2load")]
    text = report.render({"machine": MACHINE, "commands": [["a"], ["b", "c"]], "rows": [BARE, *rows]}, "x.json")
    assert "servers a`, then by `python -m benchmarks.serving.servers b c`." in text
    assert "Python (its own work shares the cores) or h2load asks it again" in text
    assert "counted as errors" in text
    assert "are not counted" not in text


def test_the_parts_stand_in_a_table_of_their_own():
    parts = {"machine": MACHINE, "command": ["--save", "p"], "rows": [{"what": "JSON read", "us": 12.34}]}
    text = page(parts=parts)
    assert "by `python -m benchmarks.serving.profile --save p`.\n\n| part | us |\n" in text
    assert "\n| JSON read | 12.3 |\n" in text
    assert "The parts alone" not in page()


def test_who_was_not_measured_is_named():
    assert "Not measured in this run: Ray Serve." in page()


def test_goals_stand_with_their_verdicts_and_the_reasons_under_them():
    text = page(why="### Why\n\nA profile says so.")
    assert f"| {MUST[0].text} | **held** |" in text
    assert text.index("What is asked") < text.index("### Why") < text.index("## Load")
    assert "The bare compiled call takes 0.2 ms" in text
