"""The hooks are those of the Makefile, and each finds what it is there for."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deployment.reading import ROOT

(REPOSITORY,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
HOOKS = {hook["id"]: hook for hook in REPOSITORY["hooks"]}


def run(hook, *files, folder):
    """Runs a hook's entry on files, by the environment that runs the tests."""
    _, *words = shlex.split(HOOKS[hook]["entry"])
    tool = Path(shlex.split(HOOKS[hook]["entry"])[0]).name
    command = [Path(sys.executable).parent / tool, *words, *files]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path):
    """A folder with the settings of the project."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return tmp_path


def test_no_hook_needs_a_network():
    assert REPOSITORY["repo"] == "local"
    assert {hook["language"] for hook in HOOKS.values()} == {"system"}


def test_the_hooks_are_the_checks_of_make():
    make = (ROOT / "Makefile").read_text()
    checks = {
        " ".join(found.split())
        for found in re.findall(r"\$\(BIN\)/((?:ruff|mypy)(?: check| format --check)?) ?\.?$", make, re.M)
    }
    entries = {hook["entry"].removeprefix(".venv/bin/").removesuffix(" --force-exclude") for hook in HOOKS.values()}
    assert entries == checks == {"ruff check", "ruff format --check", "mypy"}


@pytest.mark.parametrize(
    ("hook", "text", "status"),
    [
        ("ruff-check", "def right() -> None:\n    '''Says nothing.'''\n", 0),
        ("ruff-check", "import os\n", 1),
        ("ruff-format", "right = [1, 2]\n", 0),
        ("ruff-format", "wrong = [1,2]\n", 1),
    ],
)
def test_a_hook_passes_what_is_right_and_stops_what_is_wrong(hook, text, status, folder):
    (folder / "some.py").write_text('"""A module."""\n\n' + text)
    ran = run(hook, "some.py", folder=folder)
    assert ran.returncode == status, ran.stdout + ran.stderr


def test_the_types_are_checked_for_the_packages_as_a_whole():
    assert HOOKS["mypy"]["pass_filenames"] is False
