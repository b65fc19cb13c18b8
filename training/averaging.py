"""The average of the weights over the steps of training, which often answers better than the last weights do.

    average_t = d average_(t-1) + (1 - d) weights_t,    d = min( decay, (1 + t) / (10 + t) )

Polyak & Juditsky 1992, as an exponential moving average that forgets the beginning faster.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf


class WeightAverage:
    """Follows the trainable weights of a model batch by batch; `in_place` lets the model answer with the average."""

    def __init__(self, model: keras.Model, decay: float, values: Sequence[np.ndarray] = ()) -> None:
        self.decay = decay
        self.weights = [variable.value for variable in model.trainable_variables]
        *averages, steps = [*values] or [*(weight.numpy() for weight in self.weights), np.zeros((), np.float32)]
        self.averages = [tf.Variable(value, trainable=False) for value in averages]
        self.steps = tf.Variable(steps, trainable=False)

    @tf.function(autograph=False)
    def follow(self) -> None:
        """One step further."""
        self.steps.assign_add(1.0)
        share = 1.0 - tf.minimum(self.decay, (1.0 + self.steps) / (10.0 + self.steps))
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.assign_add(share * (weight - average))

    def values(self) -> list[np.ndarray]:
        """What a further training needs to go on: the averages, and the number of steps last."""
        return [variable.numpy() for variable in self.variables]

    @property
    def variables(self) -> list[tf.Variable]:
        """The averages, and the number of steps last."""
        return [*self.averages, self.steps]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While it lasts the model's weights are the averages."""
        own = [weight.numpy() for weight in self.weights]
        for weight, average in zip(self.weights, self.averages, strict=True):
            weight.assign(average)
        try:
            yield
        finally:
            for weight, value in zip(self.weights, own, strict=True):
                weight.assign(value)
