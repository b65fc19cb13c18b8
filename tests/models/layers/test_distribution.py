"""Training with one replica on each of two devices."""

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
for Layer in (LSTM, GRU, VanillaRNN):
    losses = []
    for strategy in strategies:
        keras.utils.set_random_seed(3)
        with strategy.scope():
            model = keras.Sequential([keras.Input((6, 3)), Layer(5), keras.layers.Dense(1)])
            model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=False)
        losses.append(model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert losses[0][-1] < losses[0][0]
    print(Layer.__qualname__, *(strategy.num_replicas_in_sync for strategy in strategies))
"""


def test_two_replicas_train_to_the_losses_of_one_with_the_same_batch():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == ["LSTM 2 1", "GRU 2 1", "VanillaRNN 2 1"]
