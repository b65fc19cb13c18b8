import tomllib

import pytest

from tests.deployment.reading import ROOT


@pytest.fixture(scope="session")
def project():
    """The table `project` of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="session")
def extras(project):
    return set(project["optional-dependencies"])
