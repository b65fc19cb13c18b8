"""Several workers that train together: what TF_CONFIG must say, the losses of one worker, and what a lost one costs."""

import json
import signal
import socket
import subprocess

import mlflow
import pytest

from tests.training import small
from training.distribution import Cluster, read_cluster
from training.errors import InputError
from training.export import repository as repositories
from training.tracking import store

STILL = {"input_dropout": "0", "recurrent_dropout": "0", "output_dropout": "0"}  # what is dropped differs by replica
SETTINGS = {**STILL, "epochs": "5", "patience": "5", "batch_size": "301", "gradient_clip": "0.5"}
pytestmark = pytest.mark.timeout(900)  # on a machine that is busy with other things, two processes take their time
WORKERS = ["a:1", "b:2", "c:3"]


def config(task=("worker", 0), **jobs):
    return json.dumps({"cluster": jobs or {"worker": WORKERS}, "task": {"type": task[0], "index": task[1]}})


def test_worker_0_is_the_chief_unless_there_is_one():
    assert read_cluster(config(("worker", 2))) == Cluster(("a:1", "b:2", "c:3"), 2)
    assert read_cluster(config(("worker", 1), chief=["d:4"], worker=WORKERS)) == Cluster(
        ("d:4", "a:1", "b:2", "c:3"), 2
    )
    assert read_cluster(config(("chief", 0), chief=["d:4"], worker=WORKERS)).worker == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "got no TF_CONFIG"),
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("{}", "KeyError: 'cluster'"),
        (json.dumps({"cluster": {"worker": WORKERS}}), "KeyError: 'task'"),
        (config(("worker", 3)), "no worker with the index 3"),
        (config(("chief", 0)), "no chief with the index 0"),
        (config(("ps", 0), worker=WORKERS, ps=["p:1"]), "has ps, which do not train by this strategy"),
        (config(worker=["a", "b:2"]), "'a' is no host:port"),
        (config(worker=["a:1", "a:1"]), "an address of its own"),
        (config(("chief", 0), chief=["a:1", "b:2"]), "one may be the chief"),
    ],
)
def test_a_tf_config_that_cannot_be_used_is_answered_with_one_that_can(text, why):
    with pytest.raises(InputError, match=why) as refused:
        read_cluster(text)
    assert '{"cluster": {"worker": ["host1:9000", "host2:9000"]}, "task"' in str(refused.value)
    assert text is None or text in str(refused.value)


def test_without_tf_config_the_command_line_says_so_in_one_line(seqzoo_home, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    done = small.run([*small.train_command(), "--strategy=multi-worker"], seqzoo_home)
    small.assert_one_line_error(done, "--strategy multi-worker got no TF_CONFIG", "set that variable for each worker")


def free_addresses(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    addresses = [f"localhost:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


class Workers:
    """Two processes that train together; each has a home of its own, and its errors are a file there."""

    def __init__(self, folder, *more, others=()):
        self.homes = [folder / "chief", folder / "other"]
        addresses, self.processes = free_addresses(2), []
        for index, home in enumerate(self.homes):
            home.mkdir(parents=True, exist_ok=True)
            arguments = [*small.train_command(**SETTINGS), "--strategy=multi-worker", *more, *(others if index else ())]
            tf_config = config(("worker", index), worker=addresses)
            with (home / "errors").open("w") as errors, (home / "output").open("w") as output:
                self.processes.append(
                    subprocess.Popen(
                        arguments, env=small.environment(home, TF_CONFIG=tf_config),
                        stdout=output if index else subprocess.PIPE, stderr=errors, text=True,
                    )
                )  # fmt: skip

    def ended(self):
        """Their statuses, and the errors of the chief; a test that would wait for ever fails."""
        for process in self.processes:
            try:
                process.communicate(timeout=small.SECONDS)
            finally:
                process.kill()
        return [process.returncode for process in self.processes], (self.homes[0] / "errors").read_text()


def history(home, monkeypatch):
    """The losses and the validation figures of all epochs of the one run in a home."""
    monkeypatch.setenv("SEQZOO_HOME", str(home))
    store.connect()
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("weather").experiment_id])
    assert run.info.status == "FINISHED"
    return {n: [m.value for m in client.get_metric_history(run.info.run_id, n)] for n in ("loss", "validation_score")}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The figures of one process with the same batches."""
    home = tmp_path_factory.mktemp("alone")
    done = small.run(small.train_command(**SETTINGS), home)
    assert done.returncode == 0, done.stderr
    with pytest.MonkeyPatch.context() as patch:
        return history(home, patch)


def test_two_workers_have_the_losses_of_one_with_the_same_batches(alone, tmp_path, monkeypatch):
    workers = Workers(tmp_path)
    statuses, errors = workers.ended()
    assert statuses == [0, 0], errors
    found = history(workers.homes[0], monkeypatch)
    assert len(found["loss"]) == 5
    assert found["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    assert found["validation_score"] == pytest.approx(alone["validation_score"], rel=1e-5)
    assert repositories.versions(workers.homes[0] / "repository", "weather") == [1]
    assert {path.name for path in workers.homes[1].iterdir()} == {"errors", "output"}, "the other worker keeps nothing"


def test_a_killed_worker_ends_the_run_which_resumes_to_the_undisturbed_end(alone, tmp_path, monkeypatch):
    workers = Workers(tmp_path)
    for line in workers.processes[0].stdout:
        if "epoch 2/5" in line:
            workers.processes[1].send_signal(signal.SIGKILL)
            break
    statuses, errors = workers.ended()
    assert statuses == [1, -signal.SIGKILL], errors
    (line,) = errors.strip().splitlines()
    assert line.startswith("Error: worker 0 of 2 has lost another worker (")
    assert "`seqzoo train weather --strategy multi-worker --resume` on every worker goes on from the last" in line
    assert not repositories.versions(workers.homes[0] / "repository", "weather")

    statuses, errors = Workers(tmp_path, "--resume").ended()
    assert statuses == [0, 0], errors
    found = history(workers.homes[0], monkeypatch)
    assert len(found["loss"]) == 5
    assert found["loss"] == pytest.approx(alone["loss"], rel=1e-5)


def test_workers_that_were_told_different_things_are_refused_before_the_first_epoch(tmp_path):
    workers = Workers(tmp_path, others=["--set=learning_rate=0.5"])
    statuses, errors = workers.ended()
    assert statuses == [1, 1], errors
    for home, number in zip(workers.homes, (0, 1), strict=True):
        (line,) = (home / "errors").read_text().strip().splitlines()
        assert (
            f"1 of 2 workers were given other settings, data or options than worker 0 (this is worker {number})" in line
        )
    assert "epoch" not in (workers.homes[1] / "output").read_text()
