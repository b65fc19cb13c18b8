"""Which code made a version."""

import subprocess
from importlib import metadata
from pathlib import Path


def code_revision() -> str:
    """The git commit of the checkout, with `+changes` when files differ from it; else the installed version."""
    root = Path(__file__).parents[2]
    installed = f"seqzoo {metadata.version('seqzoo')}"
    git = ["git", "-C", str(root)]
    try:
        if Path(_output([*git, "rev-parse", "--show-toplevel"])) != root:  # installed somewhere inside another project
            return installed
        commit = _output([*git, "rev-parse", "HEAD"])
        changed = _output([*git, "status", "--porcelain", "--untracked-files=no"])
    except (OSError, subprocess.CalledProcessError):
        return installed
    return commit + ("+changes" if changed else "")


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
