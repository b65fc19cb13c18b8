"""The forecasting network: padded, short and streamed windows are answered as plain ones are."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.zoo import entry
from models.zoo.forecast import Forecast

SERIES, HORIZON, LOOK_BACK, SEGMENT = 2, 5, 12, 4


@pytest.fixture(scope="module", params=[{}, {"level": 3, "direct": 7}], ids=["", "level and direct"])
def model(request):
    """A network with distinct random weights in place of training."""
    rng = np.random.default_rng(0)
    network = Forecast(horizon=HORIZON, look_back=LOOK_BACK, segment=SEGMENT, units=6, **request.param).build(SERIES)
    network.adapt(history(rng, 1, 300)[0])
    network({"values": history(rng, 1, LOOK_BACK)})
    for layer in filter(None, (network.embed, network.memory, network.readout, network.direct)):
        layer.set_weights([rng.normal(scale=0.6, size=w.shape) for w in layer.get_weights()])
    return network


@pytest.fixture(scope="module")
def signatures(model):
    return entry("forecast").signatures(model)


def history(rng, rows, time):
    return (rng.normal(0, 2, (rows, time, SERIES)) + np.array([10, -5])).astype("float32")


def ask(signature, *arrays):
    return {name: value.numpy() for name, value in signature(*map(tf.constant, arrays)).items()}


def lengths_of(*lengths):
    return np.array(lengths, "int32")


def zeros(rows):
    return np.zeros((rows, LOOK_BACK, SERIES), "float32"), np.zeros((rows, 1), "float32")


def test_the_network_by_hand_in_numpy(model):
    """Segments through the GRU, then each question from its last state (Cho et al. 2014; Lin et al. 2023)."""
    values = history(np.random.default_rng(1), 1, LOOK_BACK)
    training = history(np.random.default_rng(0), 1, 300)[0]
    scaled = ((values - training.mean(axis=0)) / training.std(axis=0))[0]
    kernel, recurrent, bias = (w.astype(float) for w in model.memory.get_weights())

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    def gru(h, step):
        (z, r, candidate), (uz, ur, uh) = np.split(step @ kernel + bias[0], 3), np.split(h @ recurrent + bias[1], 3)
        z, r = sigmoid(z + uz), sigmoid(r + ur)
        return z * h + (1 - z) * np.tanh(candidate + r * uh)

    (embed, embed_bias), (out, out_bias) = model.embed.get_weights(), model.readout.get_weights()
    for series in range(SERIES):
        level = scaled[-model.level :, series].mean()
        past, h = scaled[:, series] - level, np.zeros(6)
        for segment in np.split(past, LOOK_BACK // SEGMENT):
            h = gru(h, np.maximum(segment @ embed + embed_bias, 0))
        said = [
            gru(h, np.concatenate([model.position.numpy()[asked], model.which.numpy()[series]])) @ out + out_bias
            for asked in range(2)
        ]
        expected = level + np.concatenate(said)[:HORIZON]
        if model.direct is not None:
            expected = expected + past[-7:] @ model.direct.get_weights()[0]
        np.testing.assert_allclose(model({"values": values})["forecast"][0, :, series], expected, atol=1e-4)


def test_serving_default_answers_in_the_units_of_its_window(model, signatures):
    values = history(np.random.default_rng(2), 3, LOOK_BACK)
    training = history(np.random.default_rng(0), 1, 300)[0]
    expected = model({"values": values})["forecast"] * training.std(axis=0) + training.mean(axis=0)
    answer = ask(signatures["serving_default"], values, lengths_of(*[LOOK_BACK] * 3))
    np.testing.assert_allclose(answer["forecast"], expected, rtol=1e-4, atol=1e-4)


def test_a_series_that_moves_by_a_constant_is_forecast_so_much_higher(signatures):
    values = history(np.random.default_rng(3), 1, LOOK_BACK)
    both = [ask(signatures["serving_default"], v, lengths_of(LOOK_BACK))["forecast"] for v in (values, values + 100)]
    np.testing.assert_allclose(both[1], both[0] + 100, rtol=1e-4)


def test_in_training_half_of_the_series_are_answered_as_if_they_were_turned_over():
    keras.utils.set_random_seed(0)
    fields = {"horizon": HORIZON, "look_back": LOOK_BACK, "segment": SEGMENT, "units": 6, "output_dropout": 0.0}
    network = Forecast(**fields, level=3, direct=7, mirrored=0.5).build(SERIES)
    network.direct.build((None, SERIES, 7))
    network.direct.set_weights([np.random.default_rng(0).normal(size=(7, HORIZON))])
    past = history(np.random.default_rng(1), 50, LOOK_BACK)
    level = past[:, -3:].mean(axis=1, keepdims=True)
    plain, over = network.after(past).numpy(), 2 * level - network.after(2 * level - past).numpy()
    trained = network.after(past, training=True).numpy()
    is_plain, is_over = (np.isclose(trained, each, atol=1e-4).all(axis=1) for each in (plain, over))
    assert (is_plain ^ is_over).all()
    assert 30 < is_over.sum() < 70
    assert 30 < is_over[:, 0].sum() + is_plain[:, 1].sum() < 70  # a series for itself


def test_the_matrix_from_the_last_values_begins_as_zeros_and_its_squares_count():
    network = Forecast(horizon=HORIZON, look_back=LOOK_BACK, segment=SEGMENT, units=6, direct=7, direct_l2=0.5).build(1)
    network({"values": np.ones((1, LOOK_BACK, 1), "float32")})
    assert not network.direct.get_weights()[0].any()
    assert [float(loss) for loss in network.losses] == [0]
    network.direct.set_weights([np.full((7, HORIZON), 2.0)])
    network({"values": np.ones((1, LOOK_BACK, 1), "float32")})
    assert [float(loss) for loss in network.losses] == [0.5 * 4 * 7 * HORIZON]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 18), min_size=1, max_size=4), st.integers(0, 3), st.integers(0, 2**31))
def test_a_ragged_batch_answers_as_its_windows_one_by_one(signatures, lengths, more, seed):
    values = history(np.random.default_rng(seed), len(lengths), max(lengths) + more)
    together = ask(signatures["serving_default"], values, lengths_of(*lengths))
    for row, length in enumerate(lengths):
        alone = ask(signatures["serving_default"], values[row : row + 1, :length], lengths_of(length))
        np.testing.assert_allclose(together["forecast"][row], alone["forecast"][0], rtol=1e-4, atol=1e-4)


def test_only_the_last_look_back_values_are_read(signatures):
    values = history(np.random.default_rng(4), 1, 30)
    long, cut = values, values[:, -LOOK_BACK:]
    answers = [ask(signatures["serving_default"], v, lengths_of(v.shape[1]))["forecast"] for v in (long, cut)]
    np.testing.assert_allclose(*answers, rtol=1e-5)


def test_a_segment_that_is_known_in_part_begins_as_its_first_known_value(signatures):
    values = history(np.random.default_rng(5), 1, 6)
    filled = np.concatenate([np.repeat(values[:, :1], 2, axis=1), values], axis=1)
    answers = [ask(signatures["serving_default"], v, lengths_of(v.shape[1]))["forecast"] for v in (values, filled)]
    np.testing.assert_allclose(*answers, rtol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 2**31))
def test_step_by_step_each_forecast_is_that_of_all_values_so_far(signatures, chunks, seed):
    values = history(np.random.default_rng(seed), 2, sum(chunks))
    state, begin, said = zeros(2), 0, []
    for length in chunks:
        chunk = values[:, begin : begin + length]
        answer = ask(signatures["step"], chunk, lengths_of(length, length), *state)
        state, begin = (answer["state_window"], answer["state_count"]), begin + length
        said.append(answer["forecast"])
    for place, forecast in enumerate(np.moveaxis(np.concatenate(said, axis=1), 1, 0), start=1):
        whole = ask(signatures["serving_default"], values[:, :place], lengths_of(place, place))
        np.testing.assert_allclose(forecast, whole["forecast"], rtol=1e-4, atol=1e-4)
    assert state[1].tolist() == [[min(LOOK_BACK, sum(chunks))]] * 2


def test_padding_of_a_chunk_leaves_the_state_and_gives_zeros(signatures):
    values = history(np.random.default_rng(6), 2, 3)
    answer = ask(signatures["step"], values, lengths_of(0, 2), *zeros(2))
    assert not answer["forecast"][0].any()
    assert not answer["forecast"][1, 2].any()
    assert not answer["state_window"][0].any()
    assert answer["state_count"].tolist() == [[0], [2]]
    np.testing.assert_array_equal(answer["state_window"][1, -2:], values[1, :2])


@pytest.mark.parametrize(("signature", "length"), [("serving_default", 0), ("serving_default", 4), ("step", 4)])
def test_a_length_that_cannot_be_is_an_error_that_says_which_can(signatures, signature, length):
    state = zeros(1) if signature == "step" else ()
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"lengths got \[\d\]; each must be from \d to the number"):
        ask(signatures[signature], np.zeros((1, 3, SERIES), "float32"), lengths_of(length), *state)


@pytest.mark.parametrize(
    "fields",
    [
        {"look_back": 100, "segment": 48},
        {"units": 7},
        {"level": 0},
        {"level": 49},
        {"direct": -1},
        {"direct": 721},
        {"direct_l2": -1.0},
        {"mirrored": 1.5},
    ],
)
def test_a_network_that_cannot_be_says_which_could(fields):
    with pytest.raises(ValueError, match=r"forecast got look_back=.*; expected a look_back that is a multiple of segm"):
        Forecast(**fields).build()
