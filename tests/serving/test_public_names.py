import subprocess
import sys
from importlib import import_module

import pytest

import serving


def test_every_public_name_is_there_and_lives_in_one_module():
    assert set(serving._HOMES) == set(serving.__all__)
    for name, home in serving._HOMES.items():
        assert getattr(serving, name) is getattr(import_module(f"serving.{home}"), name)


def test_another_name_is_answered_with_those_that_are_there():
    with pytest.raises(AttributeError, match="no attribute 'ModelSever'; it has AsyncSequence, "):
        _ = serving.ModelSever


def test_the_package_itself_does_not_import_tensorflow():
    code = "import sys, serving; print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
