"""The cook: which dish there is, by the weather and by yesterday's dish.

    dish_t = Merge non_linear( Food dish_(t-1) + Weather weather_t )

Slides S4 to S6. Sunny: the same dish as yesterday; rainy: the next one of pie, burger, chicken, pie. The network is a
recurrence like the others, h_t = f_W(h_(t-1), x_t), with the slides' matrices for weights: nothing is trained.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from models.layers.cell import RecurrentCell
from models.layers.recurrence import Recurrence
from models.zoo.entry import Entry
from models.zoo.words import one_hot, words_of

Tensor = Any

DISHES = ("pie", "burger", "chicken")
WEATHERS = ("sunny", "rainy")

I = np.eye(3, dtype=np.float32)  # noqa: E741  the slides' identity
P = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32)  # S5: the next dish, dish_t = P dish_(t-1)
DISH_BY_WEATHER = np.array([[1, 0], [0, 1], [0, 0]], np.float32)  # S4: dish = DISH_BY_WEATHER weather
FOOD = np.concatenate([I, P])  # S6, 6x3: "same" over "next day"
WEATHER = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)  # S6, 6x2: sunny calls "same", rainy "next day"
MERGE = np.concatenate([I, I], axis=1)  # S6, 3x6: adds the halves


class DishSum(NamedTuple):
    """Add of slide S6: Food dish_before + Weather weather, in its two halves."""

    same: Tensor  # [batch, 3]
    next_day: Tensor  # [batch, 3]


class Dish(NamedTuple):
    """The state: one of pie (1,0,0), burger (0,1,0), chicken (0,0,1)."""

    h: Tensor  # [batch, 3]


def non_linear(add: Tensor) -> Tensor:
    """1 where the entry is the 2, else 0 (slide S6)."""
    return tf.cast(tf.equal(add, 2), add.dtype)


def merge(halves: Tensor) -> Tensor:
    """Merge of slide S6 on halves [..., 6]."""
    return tf.linalg.matmul(halves, tf.constant(MERGE.T, halves.dtype))


def cook_step(z: DishSum, before: Dish) -> Dish:
    """One day of slide S6; yesterday's dish acts through z alone."""
    return Dish(h=merge(non_linear(tf.concat([z.same, z.next_day], axis=-1))))


@keras.saving.register_keras_serializable(package="seqzoo")
class CookCell(RecurrentCell):
    """One day of the cook."""

    gates, Gates, State, step = ("same", "next_day"), DishSum, Dish, staticmethod(cook_step)

    @property
    def activations(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """None to choose: the non-linearity is the slide's."""
        return {}


@keras.saving.register_keras_serializable(package="seqzoo")
class CookDays(Recurrence):
    """The cook's days: weather [batch, days, 2], initial_state yesterday's dish [batch, 3] -> dish [batch, days, 3]."""

    Cell = CookCell


@dataclass(frozen=True)
class Cook:
    """The cook with the slides' matrices for weights."""

    def build(self) -> keras.Model:
        """A model of (weather [batch, days, 2], first_dish [batch, 3]) to the dish of each day [batch, days, 3]."""
        weather, first_dish = keras.Input((None, 2), name="weather"), keras.Input((3,), name="first_dish")
        days = CookDays(3, use_bias=False, return_sequences=True, name="days")
        model = keras.Model([weather, first_dish], days(weather, initial_state=first_dish), name="cook")
        days.set_weights([WEATHER.T, FOOD.T])
        return model


def signatures(model: keras.Model) -> Mapping[str, Any]:
    """serving_default: words to words. stations: the numbers of slide S6 after each part."""
    words = [tf.TensorSpec([None, None], tf.string, "weather"), tf.TensorSpec([None], tf.string, "first_dish")]

    @tf.function(input_signature=words, autograph=False)
    def serving_default(weather: Tensor, first_dish: Tensor) -> dict[str, Tensor]:
        dishes = model([one_hot(weather, WEATHERS, "weather"), one_hot(first_dish, DISHES, "first_dish")])
        return {"dish": words_of(dishes, DISHES)}

    @tf.function(input_signature=words, autograph=False)
    def stations(weather: Tensor, first_dish: Tensor) -> dict[str, Tensor]:
        sky, first = one_hot(weather, WEATHERS, "weather"), one_hot(first_dish, DISHES, "first_dish")
        dishes = model([sky, first])
        before = tf.concat([first[:, None], dishes[:, :-1]], axis=1)[:, : tf.shape(sky)[1]]
        days = model.get_layer("days")
        food, by_weather = tf.linalg.matmul(before, days.recurrent_kernel.value), days.cell.project(sky)
        add = food + by_weather
        parts = {"food": food, "weather": by_weather, "add": add, "non_linear": non_linear(add)}
        return {**parts, "merge": merge(parts["non_linear"])}

    return {"serving_default": serving_default, "stations": stations}


ENTRY = Entry(
    "cook",
    Cook,
    task="slides",
    data=None,
    metric="exact",
    summary="the slides' cook: the dish of each day, by the weather and yesterday's dish",
    signatures=signatures,
)
