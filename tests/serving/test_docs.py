"""docs/serving.md says what is so."""

import re
from pathlib import Path

from serving.command_line import table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
TESTS = Path(__file__).parent
SERVING = ROOT / "serving"
PARTS = {2: 5, 4: 6, 6: 4, 7: 5, 8: 3, 11: 2, 17: 8}  # of the sections of the specification, 1 to 18
SECTIONS = {f"{section}" for section in range(1, 19)} | {
    f"{s}.{n}" for s, most in PARTS.items() for n in range(1, most + 1)
}


def held():
    """The table of what is held: (sections, part, tests, what is not held) of each row."""
    (found,) = re.findall(r"^## What is held.*?^\|[-|]+\n(.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split(" |")] for row in found.splitlines()]


def test_the_table_of_flags_is_that_of_the_options():
    (found,) = re.findall(r"<!-- flags -->\n(.*)<!-- /flags -->", PAGE, re.DOTALL)
    assert found == table(), "write it anew: python -m tests.serving.write_flags"


def test_every_file_that_is_named_is_there():
    for name in re.findall(r"`([a-z_/]+\.py)`", PAGE):
        folder = ROOT if name.startswith("tests/") else TESTS if "test_" in name else SERVING
        assert (folder / name).is_file(), name
    for name in re.findall(r"`([a-z_]+)/`", PAGE):
        assert (SERVING / name).is_dir(), name


def test_every_section_of_the_specification_is_in_the_table():
    named = [section for sections, *_ in held() for section in sections.split(", ")]
    assert set(named) == SECTIONS | {"ours"}


def test_every_row_of_the_table_names_a_test_that_is_there_or_says_why_not():
    for sections, part, tests, not_held in held():
        names = re.findall(r"`([a-z_/]*test_[a-z_0-9]+\.py)`", tests)
        assert names or not_held, (sections, part)
        for name in names:
            assert ((ROOT if name.startswith("tests/") else TESTS) / name).is_file(), (sections, name)


def test_every_test_of_a_behaviour_is_in_the_table():
    about_parts = {"test_docs.py", "test_dtypes.py", "test_errors.py"}
    about_parts |= {"test_protos.py", "test_session_config.py", "test_public_names.py"}
    named = {name for _, _, tests, _ in held() for name in re.findall(r"`([a-z_/]*test_[a-z_0-9]+\.py)`", tests)}
    found = {str(path.relative_to(TESTS)) for path in TESTS.rglob("test_*.py")}
    assert found == about_parts | {name for name in named if not name.startswith("tests/")}


def test_every_module_of_the_server_is_named():
    named = {name for name in re.findall(r"`([a-z_]+\.py)`", PAGE) if not name.startswith("test_")}
    named |= {"__init__.py", "__main__.py"}
    helpers = {"clock.py", "dtypes.py", "session_config.py", "server.py", "time_left.py"}
    assert {path.name for path in SERVING.glob("*.py")} == named | helpers


def test_no_file_of_the_server_is_longer_than_400_lines():
    for path in SERVING.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
