"""Modules of Python that run one after the other in a home of their own, each in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path


def in_turn(home: Path, calls: Iterable[Sequence[str]]) -> None:
    """Runs `python -m CALL` for each, with SEQZOO_HOME=home. Ends this process at the first that fails, with its
    status."""
    for call in calls:
        done = subprocess.run([sys.executable, "-m", *call], env={**os.environ, "SEQZOO_HOME": str(home)}, check=False)
        if done.returncode:
            sys.exit(done.returncode)
