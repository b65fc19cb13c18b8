import re
import subprocess
from pathlib import Path

from training.export import revision


def test_a_checkout_says_its_commit():
    root = Path(revision.__file__).parents[2]
    commit = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    expected = commit.stdout.strip() if (root / ".git").exists() else "seqzoo "
    assert revision.code_revision().startswith(expected)


def test_an_installation_inside_another_project_says_its_own_version(tmp_path, monkeypatch):
    inside = tmp_path / "project" / ".venv" / "training" / "export"
    inside.mkdir(parents=True)
    git = ["git", "-C", str(tmp_path / "project"), "-c", "user.name=n", "-c", "user.email=n@example.org"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "theirs"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr(revision, "__file__", str(inside / "revision.py"))
    assert re.fullmatch(r"seqzoo \d+\.\d+\.\d+", revision.code_revision())
