"""The weather network: untrained it is persistence; padded, chunked and batched it answers as it does plainly."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.zoo import entry
from models.zoo.weather import COLUMNS, FORECASTS

UNITS = 16


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    network = entry("weather").network().build()
    network.adapt(days(rng, 200))
    network({name: values[None] for name, values in days(rng, 5).items()})
    return network


@pytest.fixture(scope="module")
def trained(model):
    """The same network with distinct random weights in place of training."""
    rng = np.random.default_rng(1)
    for layer in (model.memory, model.readout, model.skip):
        layer.set_weights([rng.normal(scale=0.4, size=w.shape) for w in layer.get_weights()])
    return entry("weather").signatures(model)


def days(rng, count):
    values = {
        "precipitation": rng.gamma(0.3, 8, count),
        "temp_max": rng.normal(16, 7, count),
        "temp_min": rng.normal(8, 5, count),
        "wind": rng.gamma(2, 1.6, count),
        "day_of_year": rng.integers(1, 367, count),
    }
    return {name: value.astype("float32") for name, value in values.items()}


def batch(rng, rows, count):
    drawn = [days(rng, count) for _ in range(rows)]
    return {name: np.stack([d[name] for d in drawn]) for name in COLUMNS}


def ask(signature, columns, lengths, state=None):
    tensors = [tf.constant(columns[name]) for name in COLUMNS] + [tf.constant(lengths, tf.int32)]
    if state is not None:
        tensors += [tf.constant(part) for part in state]
    return {name: value.numpy() for name, value in signature(*tensors).items()}


def zeros(rows):
    return [np.zeros((rows, UNITS), "float32")] * 2


def test_untrained_it_forecasts_tomorrow_as_today():
    rng = np.random.default_rng(3)
    network = entry("weather").network().build()
    network.adapt(days(rng, 50))
    columns = batch(rng, 2, 6)
    forecast = network(columns)
    np.testing.assert_array_equal(forecast["temp_max"], columns["temp_max"])
    np.testing.assert_array_equal(forecast["temp_min"], columns["temp_min"])
    np.testing.assert_array_equal(forecast["rain_probability"], np.full((2, 6), 0.5))


def test_scaling_is_that_of_the_training_days(model):
    columns = batch(np.random.default_rng(4), 1, 3)
    features = model.features({name: tf.constant(values) for name, values in columns.items()}).numpy()
    training = days(np.random.default_rng(0), 200)
    for position, name in enumerate(("temp_max", "temp_min", "wind"), start=1):
        expected = (columns[name] - training[name].mean()) / training[name].std()
        np.testing.assert_allclose(features[..., position], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(features[..., 4], columns["precipitation"] > 0)
    np.testing.assert_allclose(features[..., 5] ** 2 + features[..., 6] ** 2, 1, rtol=1e-5)


def test_serving_default_forecasts_the_day_after_the_last(trained):
    columns = batch(np.random.default_rng(5), 3, 7)
    whole = ask(trained["step"], columns, [7, 7, 7], zeros(3))
    for name, values in ask(trained["serving_default"], columns, [7, 7, 7]).items():
        np.testing.assert_allclose(values, whole[name][:, -1], atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 3), st.integers(0, 2**31))
def test_days_past_the_length_change_nothing(trained, lengths, more, seed):
    rng = np.random.default_rng(seed)
    columns = batch(rng, len(lengths), max(lengths) + more)
    padded = ask(trained["serving_default"], columns, lengths)
    for row, length in enumerate(lengths):
        alone = {name: values[row : row + 1, :length] for name, values in columns.items()}
        for name, value in ask(trained["serving_default"], alone, [length]).items():
            np.testing.assert_allclose(padded[name][row], value[0], atol=2e-5)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5).filter(sum), st.integers(0, 2**31))
def test_any_chunks_give_what_the_whole_gives(trained, chunks, seed):
    columns = batch(np.random.default_rng(seed), 2, sum(chunks))
    whole = ask(trained["step"], columns, [sum(chunks)] * 2, zeros(2))
    state, begin, parts = zeros(2), 0, []
    for length in chunks:
        chunk = {name: values[:, begin : begin + length] for name, values in columns.items()}
        answer = ask(trained["step"], chunk, [length] * 2, state)
        state, begin = [answer["state_h"], answer["state_c"]], begin + length
        parts.append(answer)
    for name in FORECASTS:
        np.testing.assert_allclose(np.concatenate([p[name] for p in parts], axis=1), whole[name], atol=2e-5)
    np.testing.assert_allclose(state[1], whole["state_c"], atol=2e-5)


def test_padding_of_a_chunk_leaves_the_state_and_gives_zeros(trained):
    columns = batch(np.random.default_rng(6), 2, 5)
    answer = ask(trained["step"], columns, [0, 3], zeros(2))
    np.testing.assert_array_equal(answer["state_h"][0], np.zeros(UNITS))
    np.testing.assert_array_equal(answer["temp_max"][0], np.zeros(5))
    np.testing.assert_array_equal(answer["rain_probability"][1, 3:], np.zeros(2))
    assert np.all(answer["rain_probability"][1, :3] > 0)


@pytest.mark.parametrize(("signature", "lengths"), [("serving_default", [0]), ("serving_default", [6]), ("step", [6])])
def test_a_length_that_cannot_be_is_an_error_that_says_which_can(trained, signature, lengths):
    columns = batch(np.random.default_rng(7), 1, 5)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"lengths got \[\d\]; each must be from \d to the number of"
    ):
        ask(trained[signature], columns, lengths, zeros(1) if signature == "step" else None)
