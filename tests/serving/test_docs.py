"""docs/serving.md says what is so."""

import re
from pathlib import Path

from serving.command_line import table

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
SERVING = Path(__file__).parents[2] / "serving"


def test_the_table_of_flags_is_that_of_the_options():
    (found,) = re.findall(r"<!-- flags -->\n(.*)<!-- /flags -->", PAGE, re.DOTALL)
    assert found == table(), "write it anew: python -m tests.serving.write_flags"


def test_every_file_that_is_named_is_there():
    for name in re.findall(r"`([a-z_]+\.py)`", PAGE):
        assert (SERVING / name).is_file(), name
    for name in re.findall(r"`([a-z_]+)/`", PAGE):
        assert (SERVING / name).is_dir(), name


def test_every_module_of_the_server_is_named():
    named = set(re.findall(r"`([a-z_]+\.py)`", PAGE)) | {"__init__.py", "__main__.py"}
    helpers = {"clock.py", "log.py", "dtypes.py", "session_config.py", "server.py"}
    assert {path.name for path in SERVING.glob("*.py")} == named | helpers


def test_no_file_of_the_server_is_longer_than_400_lines():
    for path in SERVING.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
