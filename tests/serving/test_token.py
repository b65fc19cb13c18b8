import subprocess
import sys

import pytest

from serving.auth_tokens import AuthTokens, Role
from serving.token import main


def test_the_line_goes_into_the_file_and_its_token_is_known(tmp_path):
    path = tmp_path / "tokens"
    tokens = {}
    for name, role in (("web", "predict"), ("boss", "admin")):
        with path.open("a") as file:
            command = [sys.executable, "-m", "serving.token", name, role]
            ended = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=True)
        tokens[name] = ended.stderr.removeprefix("token, not shown again: ").strip()
    known = AuthTokens(str(path))
    assert known.caller([f"Bearer {tokens['web']}"]).name == "web"
    assert known.admin([f"Bearer {tokens['boss']}"]).role is Role.ADMIN
    assert not any(token in path.read_text() for token in tokens.values())


@pytest.mark.parametrize("arguments", [[], ["web"], ["web", "reader"], ["a b", "predict"], ["#web", "admin"]])
def test_other_arguments_are_answered_with_the_usage(arguments, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "usage: python -m serving.token NAME ROLE" in said.err
