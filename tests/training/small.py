"""Trainings that are as small as they can be and still go the whole way."""

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from seqzoo.command import cli

SMALL = {"epochs": "2", "window_days": "7", "units": "4"}
SECONDS = 240


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "seqzoo", *arguments]


def train_arguments(seed: int = 0, **settings: str) -> list[str]:
    """Those of `seqzoo train weather` with small settings, or others."""
    texts = [f"--set={name}={value}" for name, value in {**SMALL, **settings}.items()]
    return ["train", "weather", f"--seed={seed}", *texts]


def train_command(seed: int = 0, **settings: str) -> list[str]:
    """`seqzoo train weather` with small settings, or others."""
    return command(*train_arguments(seed, **settings))


def environment(home: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "SEQZOO_HOME": str(home), **more}


def run(arguments: list[str], home: Path, **more: str) -> subprocess.CompletedProcess:
    """Runs to the end, with output as text."""
    return subprocess.run(
        arguments, env=environment(home, **more), capture_output=True, text=True, timeout=SECONDS, check=False
    )


def here(home: Path, *arguments: str) -> subprocess.CompletedProcess:
    """`seqzoo ARGUMENT ...` in this process, which has TensorFlow already, as `run` would return it."""
    done = CliRunner().invoke(cli, arguments, env={"SEQZOO_HOME": str(home)}, catch_exceptions=False)
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def refused(*arguments: str) -> str:
    """The one line in which `seqzoo ARGUMENT ...` says in this process what the user did wrong."""
    done = CliRunner().invoke(cli, arguments)
    (line,) = done.stderr.splitlines()
    assert (done.exit_code, line[:7]) == (1, "Error: ")
    return line


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def assert_one_line_error(done: subprocess.CompletedProcess, *parts: str) -> None:
    """The user's mistake is one line on standard error, without a traceback, and the status is not 0."""
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: ")
    for part in parts:
        assert part in lines[0]
