"""The deployment files as data: what an engine would make of them, as far as that can be known without one."""

import fnmatch
import re
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\})")


class Instruction(NamedTuple):
    """A step of a Dockerfile: keyword, arguments with continued lines joined, and the text of a here-document."""

    keyword: str
    arguments: str
    document: str


def compose(environment=()):
    """docker-compose.yml with its variables filled in and its fragments merged."""
    environment = dict(environment)

    def fill(found):
        return environment.get(found["name"], found["default"] or "") if found["name"] else "$"

    return yaml.safe_load(VARIABLE.sub(fill, (ROOT / "docker-compose.yml").read_text()))


def variables():
    """The defaults of the variables that docker-compose.yml reads, a set for each name."""
    found = {}
    for match in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text()):
        if match["name"]:
            found.setdefault(match["name"], set()).add(match["default"])
    return found


def dockerfile():
    """The instructions of the Dockerfile, in order."""
    lines = iter((ROOT / "Dockerfile").read_text().splitlines())
    instructions = []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        while line.endswith("\\"):
            line = line[:-1] + next(lines)
        keyword, arguments = line.split(None, 1)
        end = re.search(r'<<"?(\w+)"?', arguments)
        document = []
        if end:
            while (text := next(lines)) != end[1]:
                document.append(text)
        instructions.append(Instruction(keyword, arguments, "\n".join(document) + "\n"))
    return instructions


def is_ignored(path):
    """Whether .dockerignore keeps a path below the root out of the build: the last pattern that fits decides."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").removeprefix("**/")
            whole = not line.removeprefix("!").startswith("**/")
            parts = [Path(*path.parts[:end]) for end in range(1, len(path.parts) + 1)]
            if any(fnmatch.fnmatchcase(str(part) if whole else part.name, pattern) for part in parts):
                ignored = not line.startswith("!")
    return ignored
