"""Training with one replica on each of two devices, of a model of all our layers."""

import subprocess
import sys

CODE = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from models import GRU, LSTM, VanillaRNN
rng = np.random.default_rng(0)
x = rng.normal(size=(32, 6, 3)).astype("float32")
y = x.sum(axis=(1, 2))[:, None]
strategies = (tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), tf.distribute.get_strategy())
losses, weights = [], []
for strategy in strategies:
    keras.utils.set_random_seed(3)
    with strategy.scope():
        layers = [LSTM(5, return_sequences=True), GRU(5, return_sequences=True), VanillaRNN(5), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((6, 3)), *layers])
        model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=False)
    before = model.get_weights()
    losses.append(model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0).history["loss"])
    weights.append(model.get_weights())
np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
assert losses[0][-1] < losses[0][0]
for start, mine, its in zip(before, *weights, strict=True):
    np.testing.assert_allclose(mine, its, atol=1e-4)
    assert np.abs(mine - start).max() > 1e-3
print(*(strategy.num_replicas_in_sync for strategy in strategies))
"""


def test_two_replicas_train_to_the_losses_of_one_with_the_same_batch():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == ["2 1"]
