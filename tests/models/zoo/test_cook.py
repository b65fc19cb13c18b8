"""The cook against the numbers of slides S4 to S6."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from models.zoo import cook, entry

PIE, BURGER, CHICKEN = np.eye(3)
SUNNY, RAINY = np.eye(2)


@pytest.fixture(scope="module")
def signatures():
    found = entry("cook")
    return found.signatures(found.network().build())


def dishes(signatures, weather, first_dish):
    answer = signatures["serving_default"](tf.constant(weather), tf.constant(first_dish))["dish"]
    return [[word.decode() for word in row] for row in answer.numpy()]


def test_s4_sunny_gives_pie_and_rainy_gives_burger():
    np.testing.assert_array_equal(cook.DISH_BY_WEATHER, [[1, 0], [0, 1], [0, 0]])
    np.testing.assert_array_equal(cook.DISH_BY_WEATHER @ SUNNY, PIE)
    np.testing.assert_array_equal(cook.DISH_BY_WEATHER @ RAINY, BURGER)


def test_s5_pie_then_burger_then_chicken_then_pie():
    np.testing.assert_array_equal(cook.P, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    for before, after in ((PIE, BURGER), (BURGER, CHICKEN), (CHICKEN, PIE)):
        np.testing.assert_array_equal(cook.P @ before, after)
    np.testing.assert_array_equal(np.linalg.matrix_power(cook.P, 3), np.eye(3))


def test_s6_the_matrices_are_the_slides():
    np.testing.assert_array_equal(cook.FOOD, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(cook.WEATHER, [[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]])
    np.testing.assert_array_equal(cook.MERGE, [[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]])


def test_s6_the_layer_holds_these_matrices():
    days = entry("cook").network().build().get_layer("days")
    np.testing.assert_array_equal(days.kernel.numpy().T, cook.WEATHER)
    np.testing.assert_array_equal(days.recurrent_kernel.numpy().T, cook.FOOD)
    assert days.bias is None


def test_s6_pie_and_rain_at_every_station(signatures):
    stations = signatures["stations"](tf.constant([["rainy"]]), tf.constant(["pie"]))
    numbers = {name: value.numpy()[0, 0].tolist() for name, value in stations.items()}
    assert numbers == {
        "food": [1, 0, 0, 0, 1, 0],
        "weather": [0, 0, 0, 1, 1, 1],
        "add": [1, 0, 0, 1, 2, 1],
        "non_linear": [0, 0, 0, 0, 1, 0],
        "merge": [0, 1, 0],
    }


def test_s6_rain_after_pie_gives_burger(signatures):
    assert dishes(signatures, [["rainy"]], ["pie"]) == [["burger"]]


def test_s6_every_dish_in_every_weather(signatures):
    order = ("pie", "burger", "chicken")
    for dish, weather in itertools.product(order, ("sunny", "rainy")):
        expected = dish if weather == "sunny" else order[(order.index(dish) + 1) % 3]
        assert dishes(signatures, [[weather]], [dish]) == [[expected]]


def test_a_week_for_two_cooks_at_once(signatures):
    weather = [["rainy", "sunny", "rainy", "rainy", "sunny"], ["sunny", "sunny", "rainy", "sunny", "rainy"]]
    assert dishes(signatures, weather, ["pie", "chicken"]) == [
        ["burger", "burger", "chicken", "pie", "pie"],
        ["chicken", "chicken", "pie", "pie", "burger"],
    ]


def test_stations_follow_the_days(signatures):
    stations = signatures["stations"](tf.constant([["rainy", "rainy", "sunny"]]), tf.constant(["pie"]))
    np.testing.assert_array_equal(stations["merge"][0], [BURGER, CHICKEN, CHICKEN])
    np.testing.assert_array_equal(stations["food"][0, 1], cook.FOOD @ BURGER)


def test_no_days_give_no_dish(signatures):
    assert dishes(signatures, np.empty((1, 0), "S"), ["pie"]) == [[]]
    stations = signatures["stations"](tf.constant(np.empty((1, 0), "S")), tf.constant(["pie"]))
    assert stations["add"].shape == (1, 0, 6)


@pytest.mark.parametrize("signature", ["serving_default", "stations"])
def test_an_unknown_word_is_named_beside_the_known_ones(signatures, signature):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"weather got \[foggy\]; the known words are: sunny, rainy"
    ):
        signatures[signature](tf.constant([["rainy", "foggy"]]), tf.constant(["pie"]))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"first_dish got \[\]; the known words are: pie, burger, chi"
    ):
        signatures[signature](tf.constant([["rainy"]]), tf.constant([""]))
