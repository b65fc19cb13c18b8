"""docs/serving.md says what is so."""

import re
from pathlib import Path

from serving.command_line import table

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
TESTS = Path(__file__).parent
SERVING = Path(__file__).parents[2] / "serving"


def test_the_table_of_flags_is_that_of_the_options():
    (found,) = re.findall(r"<!-- flags -->\n(.*)<!-- /flags -->", PAGE, re.DOTALL)
    assert found == table(), "write it anew: python -m tests.serving.write_flags"


def test_every_file_that_is_named_is_there():
    for name in re.findall(r"`([a-z_/]+\.py)`", PAGE):
        folder = TESTS if "test_" in name else SERVING
        assert (folder / name).is_file(), name
    for name in re.findall(r"`([a-z_]+)/`", PAGE):
        assert (SERVING / name).is_dir(), name


def test_every_test_of_a_behaviour_is_in_the_table():
    about_parts = {"test_docs.py", "test_client.py", "test_dtypes.py", "test_errors.py"}
    about_parts |= {"test_protos.py", "test_session_config.py", "test_public_names.py"}
    found = {str(path.relative_to(TESTS)) for path in TESTS.rglob("test_*.py") if path.parent.name != "batching"}
    assert found == about_parts | set(re.findall(r"`([a-z_/]*test_[a-z_0-9]+\.py)`", PAGE))


def test_every_module_of_the_server_is_named():
    named = {name for name in re.findall(r"`([a-z_]+\.py)`", PAGE) if not name.startswith("test_")}
    named |= {"__init__.py", "__main__.py"}
    helpers = {"clock.py", "dtypes.py", "session_config.py", "server.py"}
    assert {path.name for path in SERVING.glob("*.py")} == named | helpers


def test_no_file_of_the_server_is_longer_than_400_lines():
    for path in SERVING.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
