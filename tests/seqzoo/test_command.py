"""The command line as a user types it."""

import subprocess
import sys
import time

import pytest

from models.zoo import ZOO
from tests.training import small

COMMANDS = ("list", "info", "train", "evaluate", "export", "serve", "ask", "ui")


def test_help_answers_at_once_without_tensorflow():
    asks = "from seqzoo.command import cli; cli(['--help'], standalone_mode=False)"
    code = f"import sys; {asks}; print('tensorflow' in sys.modules)"
    began = time.process_time()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip().endswith("False")
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout
    assert time.process_time() - began < 5


def test_list_names_every_model_with_its_data(seqzoo_home):
    done = small.run(small.command("list"), seqzoo_home)
    assert done.returncode == 0
    head, *lines = (line.split()[:3] for line in done.stdout.splitlines())
    assert head == ["model", "task", "data"]
    assert sorted({line[0] for line in lines}) == sorted(ZOO)
    assert ["cook", "slides", "-"] in lines
    assert ["weather", "forecast", "seattle-weather"] in lines
    assert done.stderr == "", "TensorFlow's notes stay away"


def test_info_shows_the_card(seqzoo_home):
    done = small.here(seqzoo_home, "info", "cook")
    assert done.stdout.startswith("# cook\n")


@pytest.mark.parametrize("command", ["info", "train", "evaluate"])
def test_an_unknown_model_is_one_line_with_the_nearest(command, seqzoo_home):
    done = small.here(seqzoo_home, command, "wether")
    small.assert_one_line_error(done, "no model 'wether' in the zoo; nearest: weather; `seqzoo list` shows all")


def test_an_unknown_option_is_named(seqzoo_home):
    done = small.here(seqzoo_home, "train", "weather", "--sed=1")
    assert done.returncode == 2
    assert "No such option" in done.stderr
    assert "--sed" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("colour=red", ["weather has no setting 'colour'", "units"]),
        ("epochs=few", ["epochs=few: expected a value like 40"]),
        ("window_days=900", ["window_days=900 leaves 0 days to train on", "shorter window"]),
    ],
)
def test_a_wrong_setting_is_one_line(setting, parts, seqzoo_home):
    small.assert_one_line_error(small.here(seqzoo_home, "train", "weather", f"--set={setting}"), *parts)


def test_a_model_whose_weights_are_given_is_not_trained(seqzoo_home):
    done = small.here(seqzoo_home, "train", "cook")
    small.assert_one_line_error(done, "'cook' is not trained, its weights are given; `seqzoo export cook`")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (None, ["cannot be read", "No such file"]),
        ("", ["line 1", "empty"]),
        ("date,precipitation,temp_max,temp_min\n2012/01/01,0,1,2\n", ["line 1", "where wind is not there"]),
        ("date,precipitation,temp_max,temp_min,wind\n2012/01/01,0,nan,2,3\n", ["line 2", "temp_max", "'nan'"]),
        ("date,precipitation,temp_max,temp_min,wind\n2012/01/01,0,1,2,3\n2012/01/03,0,1,2,3\n", ["line 3", "missing"]),
    ],
    ids=["absent", "empty", "no wind", "NaN", "a gap"],
)
def test_data_that_cannot_be_used_is_one_line_and_nothing_is_written(text, parts, tmp_path, seqzoo_home):
    path = tmp_path / "days.csv"
    if text is not None:
        path.write_text(text)
    done = small.here(seqzoo_home, "train", "weather", f"--data={path}")
    small.assert_one_line_error(done, str(path), *parts)
    assert not seqzoo_home.exists()


def test_evaluate_shows_the_figures_that_the_training_logged(trained):
    home, result, _ = trained
    done = small.here(home, "evaluate", "weather", "--repository", str(home / "repository"))
    assert done.returncode == 0, done.stderr
    for metric, value in result.test.items():
        assert f"weather test_{metric} {value:.4f}" in done.stdout


def test_evaluate_of_a_version_that_is_not_there_says_how_to_get_one(seqzoo_home):
    done = small.here(seqzoo_home, "evaluate", "weather", "--version=7")
    small.assert_one_line_error(done, "does not hold version 7 of 'weather'", "`seqzoo train weather`")


def test_serve_of_nothing_says_how_to_get_something(seqzoo_home):
    done = small.here(seqzoo_home, "serve")
    small.assert_one_line_error(done, "holds no model yet; `seqzoo train weather` makes one")


def test_python_m_training_is_seqzoo_train(seqzoo_home):
    done = small.run([sys.executable, "-m", "training", "wether"], seqzoo_home)
    small.assert_one_line_error(done, "no model 'wether' in the zoo")


def test_a_programming_error_keeps_its_traceback(monkeypatch):
    from click.testing import CliRunner

    from seqzoo import quiet
    from seqzoo.command import cli

    monkeypatch.setattr(quiet, "import_tensorflow", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(cli, ["list"], catch_exceptions=False)
