"""Models that hold sequences, as a user writes them: plain tf.Modules, and an LSTM with its own weights."""

from pathlib import Path

import numpy as np
import tensorflow as tf


class Running(tf.Module):
    """y = factor * the sum of x so far, and the number of time steps so far. State: sum and number."""

    def __init__(self, factor, features=2, with_lengths=True, state_name="state_sum", largest=np.inf):
        """largest: a run with a greater number fails."""
        super().__init__()
        self.factor, self.features, self.with_lengths = float(factor), features, with_lengths
        self.state_name, self.largest = state_name, largest

    def signature(self):
        floats = tf.TensorSpec([None, None, self.features], tf.float32, "x")
        state = tf.TensorSpec([None, self.features], tf.float32, self.state_name)
        seen = tf.TensorSpec([None], tf.int64, "state_seen")
        lengths = tf.TensorSpec([None], tf.int32, "lengths")

        def step(x, state, seen, lengths=None):
            steps = tf.shape(x)[1]
            lengths = tf.fill([tf.shape(x)[0]], steps) if lengths is None else lengths
            tf.debugging.assert_less_equal(lengths, steps)
            if np.isfinite(self.largest):
                tf.debugging.assert_less_equal(x, self.largest, "a number is too large")
            mask = tf.sequence_mask(lengths, steps)
            sums = state[:, None] + tf.cumsum(tf.where(mask[..., None], x, 0.0), axis=1)
            last = tf.concat([state[:, None], sums], 1)[:, -1]
            number = seen[:, None] + tf.cumsum(tf.cast(mask, tf.int64), axis=1)
            return {
                "y": tf.where(mask[..., None], self.factor * sums, 0.0),
                "number": tf.where(mask, number, 0),
                self.state_name: last,
                "state_seen": seen + tf.cast(lengths, tf.int64),
            }

        given = [floats, state, seen, *([lengths] if self.with_lengths else [])]
        return tf.function(step, autograph=False).get_concrete_function(*given)


class LSTM(tf.Module):
    """A layer of long short-term memory and a projection; no mask: chunks of equal length are joined."""

    def __init__(self, units=8, features=3, classes=5, seed=0):
        super().__init__()
        rng = np.random.default_rng(seed)
        self.kernel = tf.Variable(rng.normal(size=(features + units, 4 * units)).astype("float32") / 3)
        self.out = tf.Variable(rng.normal(size=(units, classes)).astype("float32"))
        self.units, self.features = units, features

    def signature(self):
        def step(x, h, c):
            outputs = tf.TensorArray(tf.float32, tf.shape(x)[1])

            def one(t, h, c, outputs):
                i, f, g, o = tf.split(tf.matmul(tf.concat([x[:, t], h], 1), self.kernel), 4, axis=1)
                c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
                h = tf.sigmoid(o) * tf.tanh(c)
                return t + 1, h, c, outputs.write(t, tf.matmul(h, self.out))

            _, h, c, outputs = tf.while_loop(lambda t, *_: t < tf.shape(x)[1], one, (0, h, c, outputs))
            return {"logits": tf.transpose(outputs.stack(), [1, 0, 2]), "state_h": h, "state_c": c}

        state = [tf.TensorSpec([None, self.units], tf.float32, f"state_{part}") for part in "hc"]
        spec = tf.TensorSpec([None, None, self.features], tf.float32, "x")
        return tf.function(step, autograph=False).get_concrete_function(spec, *state)


class Other(tf.Module):
    """A signature `step` that holds no sequences, and inputs named like special ones in another signature."""

    def signature(self):
        floats = tf.TensorSpec([None, 2], tf.float32)
        return {
            "step": tf.function(lambda x: {"y": x}).get_concrete_function(x=floats),
            "numbered": tf.function(lambda x: {"y": x}).get_concrete_function(
                x=tf.TensorSpec([None], tf.uint64, "sequence_id")
            ),
        }


class Reserved(tf.Module):
    """A signature `step` with an input of its own that is called sequence_id."""

    def signature(self):
        spec = tf.TensorSpec([None], tf.uint64, "sequence_id")
        return tf.function(lambda sequence_id: {"y": sequence_id + 1}).get_concrete_function(sequence_id=spec)


def write(module, folder):
    """Writes a version: elsewhere first, then renamed into place. A single signature is called `step`."""
    folder = Path(folder)
    writing = folder.parent.parent / f"writing-{folder.parent.name}-{folder.name}"
    found = module.signature()
    tf.saved_model.save(module, str(writing), signatures=found if isinstance(found, dict) else {"step": found})
    folder.parent.mkdir(parents=True, exist_ok=True)
    writing.rename(folder)
    return folder


def chunk(*sizes, seed=0, features=2):
    """Whole numbers as float32, one chunk of each size: sums are exact."""
    rng = np.random.default_rng(seed)
    return [rng.integers(-9, 10, (1, size, features)).astype(np.float32) for size in sizes]
