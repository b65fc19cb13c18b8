"""What the networks whose weights are given are asked: every row of their table, or every sequence of some days."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import tensorflow as tf

from training.tasks.task import Arrays, Predict

DISHES, WEATHERS, DAYS_ASKED = ("pie", "burger", "chicken"), ("sunny", "rainy"), 6
DAYS = {"weather": np.array([["sunny", "rainy"]]), "first_dish": np.array(["pie"])}
ONE = tf.train.Feature(float_list=tf.train.FloatList(value=[1]))
EXAMPLE = tf.train.Example(features=tf.train.Features(feature={"x1": ONE, "x2": ONE}))
EXAMPLES: Mapping[str, Mapping[str, Arrays]] = {  # by model and signature: one request
    "cook": {"serving_default": DAYS, "stations": DAYS},
    "xor": {
        "serving_default": {"x": np.array([[0, 1]], np.float32)},
        "classify": {"inputs": np.array([EXAMPLE.SerializeToString()], object)},  # a bytes array would drop last NULs
    },
}


def evaluate(model: str, predict: Predict) -> dict[str, float]:
    """accuracy: the share of right answers among all that there are, from 0 to 1."""
    asked, right, answer = {"cook": _weeks, "xor": _truth_table}[model]()
    return {"accuracy": float(np.mean(predict(asked)[answer] == right))}


def _weeks() -> tuple[Arrays, np.ndarray, str]:
    """Every weather of `DAYS_ASKED` days after every dish. Slide S4: the same dish when sunny, the next when rainy."""
    weeks = [(first, days) for first in range(3) for days in product(WEATHERS, repeat=DAYS_ASKED)]
    right = [[DISHES[(first + days[: n + 1].count("rainy")) % 3] for n in range(DAYS_ASKED)] for first, days in weeks]
    asked = {
        "weather": np.array([days for _, days in weeks], object),
        "first_dish": np.array([DISHES[first] for first, _ in weeks], object),
    }
    return asked, np.array(right, "S"), "dish"


def _truth_table() -> tuple[Arrays, np.ndarray, str]:
    x = np.array(list(product((0, 1), repeat=2)), np.float32)
    return {"x": x}, (x[:, 0] != x[:, 1]).astype(np.int32), "y"
