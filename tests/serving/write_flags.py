"""Writes the table of flags into docs/serving.md: python -m tests.serving.write_flags."""

import re
from pathlib import Path

from serving.command_line import table

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"

if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    whole = re.compile(r"(<!-- flags -->\n).*(<!-- /flags -->)", re.DOTALL)
    PAGE.write_text(whole.sub(lambda found: found[1] + table() + found[2], text), encoding="utf-8")
