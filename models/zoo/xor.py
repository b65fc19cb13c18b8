"""Exclusive or, learned by the 2-2-1 network with the gradient written out by hand.

    yhat = sigma W2 . sigma . W1 (x)        W' <- W - alpha grad E(W)

Slides S1 to S3. No single unit can hold exclusive or: no straight line parts its two classes. Two hidden units can.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.foundations import two_two_one
from models.zoo.entry import Entry

Tensor = Any

X = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], np.float32)  # an example is a column
Y = np.array([[0, 1, 1, 0]], np.float32)  # 1 where the two differ
CLASSES = ("false", "true")
EXAMPLE = {name: tf.io.FixedLenFeature([], tf.float32) for name in ("x1", "x2")}


@dataclass(frozen=True)
class Xor:
    """The 2-2-1 network and how it learns; three seeds of four reach the truth table."""

    seed: int = 0  # of the first weights, drawn from the normal distribution
    alpha: float = 4.0  # learning rate; at half of it learning takes twice the steps, at twice fewer seeds arrive
    steps: int = 1000  # each over all four examples; the error of each is then below 0.01

    def learn(self) -> two_two_one.Weights:
        """The weights after `steps` steps of gradient descent on the truth table."""
        rng = np.random.default_rng(self.seed)
        W = two_two_one.Weights(*(tf.constant(rng.normal(size=shape), tf.float32) for shape in ((3, 2), (3, 1))))

        @tf.function(autograph=False)
        def step(W: two_two_one.Weights) -> two_two_one.Weights:
            return two_two_one.update(W, two_two_one.gradient_matrix(W, X, Y), self.alpha)

        for _ in range(self.steps):
            W = step(W)
        return W

    def build(self) -> keras.Model:
        """A model of x [batch, 2] to the probability [batch, 1] that exactly one is 1, with the learned weights.

        Raises ValueError when the learned network does not reach the truth table."""
        W = self.learn()
        found = two_two_one.predict(W, X).numpy()
        if not np.array_equal(found.round(), Y):
            raise ValueError(
                f"{self} learned {found[0].round(2).tolist()} for the truth table {Y[0].astype(int).tolist()}: too few "
                "steps, or a local minimum. Take more steps, another seed or another alpha."
            )
        # a row of Keras is an example, so that its kernel is the slide's matrix without the row of the biases
        model = keras.Sequential(
            [
                keras.Input((2,), name="x"),
                keras.layers.Dense(2, activation="sigmoid", name="hidden"),
                keras.layers.Dense(1, activation="sigmoid", name="output"),
            ],
            name="xor",
        )
        model.set_weights([W.W1[:2], W.W1[2], W.W2[:2], W.W2[2]])
        return model


def signatures(model: keras.Model) -> Mapping[str, Any]:
    """serving_default: x to probability and truth value. classify: tf.train.Examples to the scores of both classes."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")], autograph=False)
    def serving_default(x: Tensor) -> dict[str, Tensor]:
        probability = model(x)[:, 0]
        return {"probability": probability, "y": tf.cast(probability > 0.5, tf.int32)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")], autograph=False)
    def classify(inputs: Tensor) -> dict[str, Tensor]:
        example = tf.io.parse_example(inputs, EXAMPLE)
        probability = model(tf.stack([example["x1"], example["x2"]], axis=1))
        classes = tf.tile(tf.constant([CLASSES]), [tf.size(inputs), 1])
        return {"classes": classes, "scores": tf.concat([1 - probability, probability], axis=1)}

    return {"serving_default": serving_default, "classify": classify}


ENTRY = Entry(
    "xor",
    Xor,
    task="slides",
    data=None,
    metric="exact",
    summary="exclusive or, learned with the gradient written out by hand",
    signatures=signatures,
)
