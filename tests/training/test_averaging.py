"""The moving average of the weights, written out."""

import keras
import numpy as np
import pytest

from training.averaging import WeightAverage


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])


def weights_at(step):
    rng = np.random.default_rng(step)
    return [rng.normal(size=(2, 3)).astype("float32"), rng.normal(size=3).astype("float32")]


def test_it_forgets_the_beginning_faster_and_then_decays_as_told(model):
    average = WeightAverage(model, decay=0.5)
    expected = model.get_weights()
    for step in range(1, 40):
        model.set_weights(weights_at(step))
        average.follow()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = [decay * old + (1 - decay) * new for old, new in zip(expected, weights_at(step), strict=True)]
    for got, want in zip(average.values(), [*expected, 39.0], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_the_model_answers_with_the_average_only_while_it_is_in_place(model):
    average = WeightAverage(model, decay=0.9)
    before = model.get_weights()
    model.set_weights(weights_at(1))
    average.follow()
    with average.in_place():
        np.testing.assert_allclose(model.get_weights()[0], average.values()[0])
        assert np.abs(model.get_weights()[0] - before[0]).max() > 0.01
    np.testing.assert_array_equal(model.get_weights()[0], weights_at(1)[0])


def test_it_goes_on_from_its_values(model):
    whole, first = WeightAverage(model, decay=0.9), WeightAverage(model, decay=0.9)
    for step in range(1, 9):
        model.set_weights(weights_at(step))
        whole.follow()
        if step <= 4:
            first.follow()
        else:
            if step == 5:
                first = WeightAverage(model, decay=0.9, values=first.values())
            first.follow()
    for got, want in zip(first.values(), whole.values(), strict=True):
        np.testing.assert_array_equal(got, want)
