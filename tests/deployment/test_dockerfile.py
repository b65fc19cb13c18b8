"""The Dockerfile without an engine: its steps run natively, on the files that it would be given."""

import hashlib
import http.server
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.deployment.reading import ROOT, dockerfile, is_ignored

STEPS = dockerfile()
PACKAGES = ("models", "training", "serving", "seqzoo")


def arguments_of(keyword):
    return [step.arguments for step in STEPS if step.keyword == keyword]


def copies():
    """Sources and target of each COPY from the folder that is built."""
    for step in STEPS:
        words = [word for word in step.arguments.split() if not word.startswith("--")]
        if step.keyword == "COPY" and "--from" not in step.arguments and "<<" not in step.arguments:
            yield words[:-1], words[-1]


def environment_of_image():
    return dict(pair.split("=", 1) for line in arguments_of("ENV") for pair in shlex.split(line))


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """The folder /source of the first stage."""
    folder = tmp_path_factory.mktemp("source")
    for sources, target in copies():
        for name in sources:
            for path in [ROOT / name, *(ROOT / name).rglob("*")]:
                relative = path.relative_to(ROOT)
                if path.is_file() and not is_ignored(relative):
                    place = folder / target / (relative.relative_to(name) if path != ROOT / name else relative.name)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, place)
    return folder


@pytest.fixture(scope="session")
def installed(source, tmp_path_factory):
    """Where the second stage installs to, by the commands of the file, without dependencies and without a network."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("image") / "packages"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say: without isolation
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "EXTRAS": arguments_of("ARG")[-1].removeprefix("EXTRAS="),
    }
    wheel, install = (each for each in arguments_of("RUN") if "pip" in each)
    install = install.removeprefix("--mount=type=cache,target=/root/.cache/pip ")
    for command, more in ((wheel, {}), (install, {"PIP_TARGET": str(target)})):
        text = command.replace("/wheels", str(wheels))
        ran = subprocess.run(["sh", "-c", text], cwd=source, env=environment | more, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert not wheels.exists()
    return target


@pytest.fixture
def commands(tmp_path):
    """A folder with the commands that the file writes, and a `python` that shows what it is called with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for step in STEPS:
        if "<<" in step.arguments:
            assert "--chmod=755" in step.arguments
            path = folder / Path(step.arguments.split()[-1]).name
            path.write_text(step.document)
            path.chmod(0o755)
    show = folder / "python"
    show.write_text(f"#!{sys.executable}\nimport json, os, sys\nprint(json.dumps([os.getpid(), *sys.argv[1:]]))\n")
    show.chmod(0o755)
    return folder


def call(commands, *command, **environment):
    """The process id of the command, and what it and the python that it called were called with."""
    environment = {"PATH": f"{commands}:{os.environ['PATH']}", **environment_of_image(), **environment}
    process = subprocess.Popen(
        [commands / command[0], *command[1:]], env=environment, stdout=subprocess.PIPE, text=True
    )
    pid, *arguments = json.loads(process.communicate(timeout=30)[0])
    return process.pid == pid, arguments


def test_every_copied_source_is_there_and_not_kept_out():
    for sources, _ in copies():
        for name in sources:
            assert (ROOT / name).exists(), name
            assert not is_ignored(Path(name)), name


def test_a_copied_stage_is_named_before():
    stages = [line.rpartition(" AS ")[2] for line in arguments_of("FROM") if " AS " in line]
    for step in STEPS:
        if step.keyword == "COPY" and "--from=" in step.arguments:
            assert step.arguments.partition("--from=")[2].split()[0] in stages


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        ".seqzoo/mlflow.db",
        "tests/conftest.py",
        "models/__pycache__/layers.pyc",
        ".env",
    ],
)
def test_history_environments_runs_and_secrets_are_kept_out_of_the_build(path):
    assert is_ignored(Path(path))


def test_every_file_of_the_packages_that_git_knows_reaches_the_build(source):
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    known = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True)
    there = [name for name in known.stdout.splitlines() if (ROOT / name).exists()]
    assert there
    assert [name for name in there if not (source / name).is_file()] == []


def test_the_image_holds_every_module_that_the_packages_have(source, installed):
    for name in PACKAGES:
        modules = {path.relative_to(source) for path in (source / name).rglob("*.py")}
        assert modules
        assert {module for module in modules if not (installed / module).is_file()} == set()
        assert (installed / name / "py.typed").is_file()


def test_the_image_holds_the_shipped_data_byte_for_byte(installed):
    from training.datasets.seattle_weather import FILE

    content = (installed / "training" / "datasets" / "shipped" / FILE.name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == FILE.sha256


def test_the_image_holds_the_cards_of_the_zoo(installed):
    cards = {path.name for path in (ROOT / "models" / "zoo" / "cards").glob("*.md")}
    assert cards
    assert cards == {path.name for path in (installed / "models" / "zoo" / "cards").glob("*.md")}


def test_the_image_holds_no_tests(installed):
    assert not (installed / "tests").exists()


def test_the_installed_command_answers_from_the_installed_packages(installed, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    shown = subprocess.run(
        [sys.executable, installed / "bin" / "seqzoo", "train", "--help"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--repository" in shown.stdout
    where = "import seqzoo, training, models, serving; print(seqzoo.__file__)"
    place = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert place.stdout.strip() == str(installed / "seqzoo" / "__init__.py")


def test_the_extras_of_the_image_are_those_of_the_project(extras):
    assert set(arguments_of("ARG")[-1].removeprefix("EXTRAS=").split(",")) <= extras


def test_the_python_of_the_image_is_one_that_the_project_runs_on(project):
    (python,) = [line.removeprefix("PYTHON=") for line in arguments_of("ARG") if line.startswith("PYTHON=")]
    assert project["requires-python"] == f">={python}"
    assert {line.split()[0] for line in arguments_of("FROM")} == {"python:${PYTHON}-slim"}


def test_the_server_starts_as_the_stock_image_does(commands):
    (entry,) = map(json.loads, arguments_of("ENTRYPOINT"))
    assert entry == ["/usr/bin/tf_serving_entrypoint.sh"]
    same_process, arguments = call(commands, "tf_serving_entrypoint.sh", MODEL_NAME="weather")
    assert arguments == [
        "-m",
        "serving",
        "--port=8500",
        "--rest_api_port=8501",
        "--model_name=weather",
        "--model_base_path=/models/weather",
    ]
    assert same_process, "a signal from the engine would not reach the server"


def test_the_server_knows_every_flag_that_it_starts_with(commands):
    from serving.command_line import parse

    _, (_, _, *flags) = call(commands, "tf_serving_entrypoint.sh", MODEL_NAME="weather")
    parsed = parse(flags)
    assert parsed.unknown == ()
    assert (parsed.options.port, parsed.options.rest_api_port) == (8500, 8501)
    assert (parsed.options.model_name, parsed.options.model_base_path) == ("weather", "/models/weather")


def test_the_model_is_named_model_and_lies_in_models_by_default_as_in_the_stock_image(commands):
    _, arguments = call(commands, "tf_serving_entrypoint.sh")
    assert arguments[-2:] == ["--model_name=model", "--model_base_path=/models/model"]


def test_the_arguments_of_docker_run_are_added_unchanged(commands):
    _, arguments = call(commands, "tf_serving_entrypoint.sh", "--enable_batching", "--model_config_file=/a b/c")
    assert arguments[-2:] == ["--enable_batching", "--model_config_file=/a b/c"]


def test_the_name_of_the_stock_server_starts_ours(commands):
    same_process, arguments = call(commands, "tensorflow_model_server", "--port=8500", "--model_name=a b")
    assert arguments == ["-m", "serving", "--port=8500", "--model_name=a b"]
    assert same_process


def test_every_shell_step_is_well_formed():
    for step in STEPS:
        if step.keyword == "RUN" or "<<" in step.arguments:
            text = step.document if "<<" in step.arguments else step.arguments.rpartition("--mount")[2]
            subprocess.run(["sh", "-n"], input=text, text=True, check=True)


def test_it_does_not_run_as_root():
    (user,) = arguments_of("USER")
    (made,) = [each for each in arguments_of("RUN") if "useradd" in each]
    assert user == "seqzoo"
    assert made.split("&&")[0].split()[-1] == user
    assert STEPS.index(next(s for s in STEPS if s.keyword == "USER")) > STEPS.index(
        next(s for s in STEPS if made == s.arguments)
    )


@pytest.mark.parametrize(("code", "healthy"), [(200, True), (404, False)])
def test_it_is_healthy_when_the_status_of_its_model_is_answered(code, healthy):
    asked = []

    class Status(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_):
            pass

    (check,) = arguments_of("HEALTHCHECK")
    command = json.loads(check.partition(" CMD ")[2])
    with http.server.HTTPServer(("127.0.0.1", 0), Status) as server:
        threading.Thread(target=server.handle_request).start()
        text = command[-1].replace("8501", str(server.server_port))
        ran = subprocess.run([sys.executable, "-c", text], env={**os.environ, "MODEL_NAME": "weather"}, timeout=30)
    assert asked == ["/v1/models/weather"]
    assert (ran.returncode == 0) == healthy
