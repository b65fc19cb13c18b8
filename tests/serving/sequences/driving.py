"""Steps of sequences, asked with the stock stubs and as plain JSON."""

import threading

import numpy as np
import tensorflow as tf

from tests.serving.asking import SECONDS, predict_request

UNKNOWN = ("NOT_FOUND", "Sequence with provided ID does not exist")
ids = iter(range(1000, 10**6))  # of sequences: each is taken once


def special(sequence=None, control=None, step=None):
    """Their TensorProtos."""
    found = {}
    if sequence is not None:
        kind = tf.string if isinstance(sequence, (str, bytes)) else tf.uint64
        found["sequence_id"] = tf.make_tensor_proto([sequence], kind)
    if control is not None:
        found["sequence_control_input"] = tf.make_tensor_proto([control], tf.uint32)
    if step is not None:
        found["sequence_step"] = tf.make_tensor_proto([step], tf.int64)
    return found


def request(model, inputs, sequence=None, control=None, step=None, **spec):
    """A PredictRequest to the signature `step`."""
    spec.setdefault("signature", "step")
    return predict_request(model, {**inputs, **special(sequence, control, step)}, **spec)


class Driver:
    """Asks one model over gRPC."""

    def __init__(self, ask, model):
        self.ask, self.model = ask, model
        self.version = None  # of the last answer

    def __call__(self, inputs=None, sequence=None, control=None, step=None, timeout=SECONDS, **spec):
        """Output alias -> array. inputs: a chunk stands for {"x": chunk}."""
        given = {} if inputs is None else inputs if isinstance(inputs, dict) else {"x": inputs}
        message = request(self.model, given, sequence, control, step, **spec)
        response = self.ask.prediction.Predict(message, timeout=timeout)
        self.version = response.model_spec.version.value
        return {alias: tf.make_ndarray(tensor) for alias, tensor in response.outputs.items()}

    def start(self, inputs, sequence=None, **more):
        return self(inputs, sequence, 1, **more)

    def end(self, inputs=None, sequence=None, **more):
        return self(inputs, sequence, 2, **more)

    def stateless(self, **inputs):
        return self.ask.predict(self.model, inputs, signature="step")


def sums(*chunks, factor=1):
    """What Running answers to the last of the chunks, computed by numpy."""
    so_far = np.concatenate(chunks, axis=1).cumsum(axis=1)
    return factor * so_far[:, so_far.shape[1] - chunks[-1].shape[1] :]


class Late:
    """Takes the place of a store's `write`: steps count, but their answers wait until it is opened."""

    def __init__(self, store):
        self._write = store.write
        self._opened = threading.Event()
        self.reached = threading.Event()

    def __call__(self, changes):
        found = self._write(changes)
        self.reached.set()
        assert self._opened.wait(SECONDS)
        return found

    def open(self):
        self._opened.set()
