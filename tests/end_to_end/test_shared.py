"""Trainings that two replicas share: the losses of one that has the batches whole, and what a lost worker costs.

The processes are few, and each does much: what it has done is looked at by several tests.
"""

import json
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import keras
import mlflow
import pytest

from models.zoo import entry
from tests.training import small
from tests.training.test_distribution import config
from tests.training.together import ENTRIES, losses, run_of, settings_of
from training.export import repository as repositories
from training.pipeline import in_memory, prepared
from training.tasks.table import task_module
from training.tracking import store

pytestmark = pytest.mark.timeout(900)  # on a machine that is busy with other things, two processes take their time
SECONDS = 400  # for each; both pairs may come within one test
TRAIN = ["train", "weather", "--strategy=multi-worker", *(f"--set={n}={t}" for n, t in settings_of("weather").items())]
DIES = """
import os, signal
import click
from seqzoo.command import main
echo = click.echo
def echo_and_die(line):
    echo(line)
    if "epoch 2/3" in line:
        os.kill(os.getpid(), signal.SIGKILL)
click.echo = echo_and_die
main()
"""
SEQZOO, TOGETHER = ["-m", "seqzoo"], ["-m", "tests.training.together"]


class Process:
    """One of Python, with a home of its own, where its output and its errors are files."""

    def __init__(self, home, arguments, **environment):
        home.mkdir(parents=True, exist_ok=True)
        self.output, self.errors = home / "output", home / "errors"
        with self.output.open("w") as output, self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *arguments], env=small.environment(home, **environment), stdout=output, stderr=errors
            )

    def printed(self):
        """What `together` has said."""
        assert self.process.returncode == 0, self.errors.read_text()[-3000:]
        return json.loads(self.output.read_text().splitlines()[-1])


def ended(*processes):
    """The processes after their end; those that would run for ever fail."""
    try:
        for each in processes:
            each.process.wait(timeout=SECONDS)
    finally:
        for each in processes:
            each.process.kill()
    return processes


def two_workers(folder, chiefs, others):
    """Two processes that have trained together, each with its arguments."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
    addresses = [f"localhost:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    arguments = {"chief": chiefs, "other": others}
    return ended(
        *(
            Process(folder / home, arguments[home], TF_CONFIG=config(("worker", index), worker=addresses))
            for index, home in enumerate(arguments)
        )
    )


@pytest.fixture(scope="module")
def weather_alone():
    """(losses, validation figures) of the epochs of one process, without what `fit` does between them."""
    run, weather = run_of("weather"), entry("weather")
    task = task_module("weather").prepare(run)
    keras.utils.set_random_seed(run.seed)
    model, walk = prepared(task, run)
    model.run_eagerly = True  # a graph for three epochs would take longer
    predict = in_memory(weather.signatures(model)[weather.evaluated])
    found = [], []
    for epoch in range(1, run.epochs + 1):
        found[0].append(walk.epoch(epoch, lambda: None))
        found[1].append(task.score(task.evaluate(predict, "validation"), "validation"))
    return found


@pytest.fixture(scope="module")
def alone(weather_alone, tmp_path_factory):
    """By entry the losses of the first two epochs of one process."""
    folder = tmp_path_factory.mktemp("alone")
    return {"weather": weather_alone[0][:2], **{name: losses(name, folder) for name in ("tagger", "char-lm")}}


@pytest.fixture(scope="module")
def on_two_devices(tmp_path_factory):
    """What one process says that has two."""
    folder = tmp_path_factory.mktemp("mirrored")
    (process,) = ended(Process(folder, [*TOGETHER, "mirrored", str(folder)]))
    return process.printed()


@dataclass(frozen=True)
class Lost:
    """Two workers of which the other died after the second of three epochs."""

    folder: Path
    statuses: list[int]
    errors: str  # of the chief
    versions: list[int]


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    workers = two_workers(folder, [*SEQZOO, *TRAIN], ["-c", DIES, *TRAIN])
    statuses = [worker.process.returncode for worker in workers]
    versions = repositories.versions(folder / "chief" / "repository", "weather")
    return Lost(folder, statuses, workers[0].errors.read_text(), versions)


@pytest.fixture(scope="module")
def in_two_processes(lost):
    """What each of two workers says that train together anew, and then resume what was lost."""
    arguments = [*TOGETHER, "multi-worker", str(lost.folder), *TRAIN, "--resume"]
    return [worker.printed() for worker in two_workers(lost.folder, arguments, arguments)]


@pytest.mark.parametrize("name", ENTRIES["mirrored"])
def test_two_replicas_have_the_losses_of_one_with_the_same_batches(alone, on_two_devices, name):
    one = alone[name]
    assert one[1] != one[0], "it learns"
    assert on_two_devices["losses"][name] == pytest.approx(one, rel=1e-5)


@pytest.mark.parametrize("name", ENTRIES["multi-worker"])
def test_so_have_two_processes_that_know_no_length_before_they_run(alone, in_two_processes, name):
    chief, other = (said["losses"][name] for said in in_two_processes)
    assert chief == pytest.approx(alone[name], rel=1e-5)
    assert other == chief


def test_a_lost_worker_ends_the_run_on_the_other_in_one_line(lost):
    assert lost.statuses == [1, -signal.SIGKILL], lost.errors
    assert "Traceback" not in lost.errors
    # beside it TensorFlow's threads may report the loss themselves, past its own level of logging
    (line,) = (line for line in lost.errors.splitlines() if line.startswith("Error: "))
    assert line.startswith("Error: worker 0 of 2 has lost another worker (")
    assert "`seqzoo train weather --strategy multi-worker --resume` on every worker goes on from the last" in line
    assert not lost.versions


def test_it_resumes_to_the_figures_of_one_process_that_nothing_disturbed(
    weather_alone, lost, in_two_processes, monkeypatch
):
    chief, other = (lost.folder / home for home in ("chief", "other"))
    assert "epoch 2/3" not in (chief / "output").read_text(), "it went on"
    monkeypatch.setenv("SEQZOO_HOME", str(chief))
    store.connect()
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("weather").experiment_id])
    assert (run.info.status, run.data.tags["replicas"]) == ("FINISHED", "2")
    for name, undisturbed in zip(("loss", "validation_score"), weather_alone, strict=True):
        figures = client.get_metric_history(run.info.run_id, name)
        assert [figure.step for figure in figures] == [1, 2, 3]
        assert [figure.value for figure in figures] == pytest.approx(undisturbed, rel=1e-5)
    assert repositories.versions(chief / "repository", "weather") == [1]
    assert {path.name for path in other.iterdir()} == {"errors", "output"}, "the other worker keeps nothing"


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("jit_compile", "--jit-compile cannot be combined with --strategy"),
        ("batch_size", "batch_size=1 is too small to be shared: there are 2 replicas"),
    ],
)
def test_what_cannot_be_shared_is_refused(on_two_devices, setting, why):
    assert on_two_devices["errors"][setting].startswith(why)


@pytest.mark.parametrize("worker", [0, 1])
def test_workers_that_were_told_different_things_are_refused_before_the_first_epoch(in_two_processes, worker):
    assert in_two_processes[worker]["errors"]["seed"] == (
        f"1 of 2 workers were given other settings, data or options than worker 0 (this is worker {worker}); start the "
        "same `seqzoo train` with the same files on each."
    )
