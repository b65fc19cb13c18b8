"""Batches that two replicas share: the losses of one replica that has them whole, for each way of training."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(900)  # on a machine that is busy with other things
SMALL = {  # batches of odd size, and in each epoch one that is smaller
    "weather": {"batch_size": "333", "window_days": "7", "units": "4"},  # windows of one length
    "speaker": {"batch_size": "13"},  # series of different lengths
    "tagger": {"batch_size": "21", "layers": "1"},  # losses that are the mean over words
    "char-lm": {"batch_size": "7"},  # one text, the state carried over
}
CODE = """
import json, sys
from dataclasses import fields, replace
from pathlib import Path
import keras, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.training.untrained import DATA, SETTINGS
from training.distribution import join
from training.pipeline import prepared
from training.run import with_settings
from training.tasks.table import task_module

team = join("mirrored")
assert team.replicas == 2
found = {}
for name in json.loads(sys.argv[2]):
    module = task_module(name)
    data = DATA[name](Path(sys.argv[1])) if name in DATA else None
    run = with_settings(module.RUN, {**SETTINGS.get(name, {}), **json.loads(sys.argv[2])[name]})
    noise = ("dropout", "noise", "unknown_rate")
    still = {f.name: 0.0 for f in fields(run.network) if f.name.endswith(noise)}
    run = replace(run, network=replace(run.network, **still), gradient_clip=0.05, epochs=2)
    losses = []
    for way in (None, team):
        task = module.prepare(run, data)
        keras.utils.set_random_seed(0)
        _, walk = prepared(task, run, way)
        losses.append([walk.epoch(number, lambda: None) for number in (1, 2)])
    found[name] = losses
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def losses(tmp_path_factory):
    """By model: the losses of two epochs of one replica, and those of two; batches of odd size, gradients clipped."""
    arguments = [sys.executable, "-c", CODE, str(tmp_path_factory.mktemp("data")), json.dumps(SMALL)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", SMALL)
def test_two_replicas_have_the_losses_of_one_with_the_same_batches(losses, name):
    one, two = losses[name]
    assert one[1] != one[0], "it learns"
    assert two == pytest.approx(one, rel=1e-5)
