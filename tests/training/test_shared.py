"""Batches that two replicas share: the losses of one replica that has them whole, for each way of training."""

import json
import os
import subprocess
import sys

import pytest

from tests.training.test_distribution import config, free_addresses

pytestmark = pytest.mark.timeout(900)  # on a machine that is busy with other things
SECONDS = 800
MIRRORED = {  # batches of odd size, and in each epoch one that is smaller
    "weather": {"batch_size": "333", "window_days": "7", "units": "4"},  # windows of one length
    "tagger": {"batch_size": "21", "layers": "1"},  # losses that are the mean over words
    "char-lm": {"batch_size": "7"},  # one text, the state carried over
}
MULTI_WORKER = {"speaker": {"batch_size": "13", "units": "8"}}  # series of different lengths
CODE = """
import json, sys
from dataclasses import fields, replace
from pathlib import Path
import keras, tensorflow as tf
from click.testing import CliRunner
strategy, folder, settings = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
if strategy == "mirrored":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from training.distribution import join
team = join(strategy)
assert team.replicas == 2
from seqzoo.command import cli
from tests.training.untrained import DATA, SETTINGS
from training.pipeline import prepared
from training.run import with_settings
from training.tasks.table import task_module

folder = folder / str(team.worker)
folder.mkdir()
found = {}
for name, texts in settings.items():
    module = task_module(name)
    data = DATA[name](folder) if name in DATA else None
    run = with_settings(module.RUN, {**SETTINGS.get(name, {}), **texts})
    noise = ("dropout", "noise", "unknown_rate")
    still = {f.name: 0.0 for f in fields(run.network) if f.name.endswith(noise)}
    run = replace(run, network=replace(run.network, **still), gradient_clip=0.05, epochs=2)
    losses = []
    for way in (team, None) if team.chief else (team,):
        task = module.prepare(run, data)
        keras.utils.set_random_seed(0)
        _, walk = prepared(task, run, way)
        losses.append([walk.epoch(number, lambda: None) for number in (1, 2)])
    found[name] = losses
if strategy == "mirrored":
    small = [f"--set={name}={text}" for name, text in SETTINGS["char-lm"].items()]
    for option in ("--jit-compile", "--set=batch_size=1"):
        arguments = ["train", "char-lm", f"--data={DATA['char-lm'](folder)}", "--strategy=mirrored", *small, option]
        done = CliRunner().invoke(cli, arguments)
        found[option] = done.exit_code, done.stderr
team.wait_for_all()
print(json.dumps(found))
"""


def started(strategy, folder, settings, **environment):
    arguments = [sys.executable, "-c", CODE, strategy, str(folder), json.dumps(settings)]
    pipe = subprocess.PIPE
    given = {**os.environ, "SEQZOO_HOME": str(folder), **environment}
    return subprocess.Popen(arguments, env=given, stdout=pipe, stderr=pipe, text=True)


def printed(process):
    try:
        output, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, errors[-3000:]
    return json.loads(output.splitlines()[-1])


@pytest.fixture(scope="module")
def on_two_devices(tmp_path_factory):
    """By model: the losses of two epochs of two replicas, and those of one; the gradients are clipped. By option: the
    status and the errors of a command that cannot be shared."""
    return printed(started("mirrored", tmp_path_factory.mktemp("data"), MIRRORED))


@pytest.mark.parametrize("name", MIRRORED)
def test_two_replicas_have_the_losses_of_one_with_the_same_batches(on_two_devices, name):
    two, one = on_two_devices[name]
    assert one[1] != one[0], "it learns"
    assert two == pytest.approx(one, rel=1e-5)


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("--jit-compile", "--jit-compile cannot be combined with --strategy"),
        ("--set=batch_size=1", "batch_size=1 is too small to be shared: there are 2 replicas"),
    ],
)
def test_what_cannot_be_shared_is_refused_in_one_line(on_two_devices, option, why):
    status, errors = on_two_devices[option]
    (line,) = errors.splitlines()
    assert (status, line[: len(why) + 7]) == (1, f"Error: {why}")


@pytest.mark.parametrize("name", MULTI_WORKER)
def test_so_have_two_processes_that_know_no_length_before_they_run(name, tmp_path):
    addresses = free_addresses(2)
    workers = [
        started("multi-worker", tmp_path, MULTI_WORKER, TF_CONFIG=config(("worker", index), worker=addresses))
        for index in range(2)
    ]
    (two, one), (other,) = (printed(worker)[name] for worker in workers)
    assert one[1] != one[0], "it learns"
    assert two == pytest.approx(one, rel=1e-5)
    assert other == two
