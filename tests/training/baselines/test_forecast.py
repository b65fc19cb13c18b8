import numpy as np
import pytest

from training.baselines.forecast import STRENGTHS, Ridge, baselines, choose_strength, errors, last_value, windows

RNG = np.random.default_rng(0)
VALUES = np.cumsum(RNG.normal(size=(120, 2)), axis=0)


def test_errors_by_hand():
    truth, forecast = np.array([[[1.0], [2.0]], [[0.0], [-1.0]]]), np.array([[[2.0], [2.0]], [[3.0], [-3.0]]])
    assert errors(truth, forecast) == {"mse": (1 + 0 + 9 + 4) / 4, "mae": (1 + 0 + 3 + 2) / 4}


def test_a_window_is_what_lies_before_its_end():
    assert windows(np.arange(10), np.array([3, 10]), 3).tolist() == [[0, 1, 2], [7, 8, 9]]


@pytest.mark.parametrize("end", [2, 11])
def test_a_window_that_would_leave_the_values_is_an_error(end):
    with pytest.raises(
        ValueError, match=f"windows got ends from {end} to {end} in 10 time steps; expected them from 3"
    ):
        windows(np.arange(10), np.array([end]), 3)


def test_the_last_value_is_repeated_over_the_horizon():
    said = last_value(VALUES, np.array([5, 9]), 3)
    np.testing.assert_array_equal(said, np.stack([VALUES[[4, 4, 4]], VALUES[[8, 8, 8]]]))


def test_the_ridge_is_the_solution_of_its_normal_equations():
    ends, length, horizon, strength = np.arange(10, 90), 6, 4, 3.0
    x = np.concatenate([[VALUES[e - length : e - 1, s] - VALUES[e - 1, s] for e in ends] for s in range(2)])
    y = np.concatenate([[VALUES[e : e + horizon, s] - VALUES[e - 1, s] for e in ends] for s in range(2)])
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    centred = x - x_mean
    weights = np.linalg.solve(centred.T @ centred + strength * np.eye(length - 1), centred.T @ (y - y_mean))
    said = Ridge(VALUES, ends, horizon, length).predict(VALUES, np.array([100]), strength)[0]
    for series in range(2):
        past = VALUES[94:100, series]
        by_hand = past[-1] + (past[:-1] - past[-1] - x_mean) @ weights + y_mean
        np.testing.assert_allclose(said[:, series], by_hand, rtol=1e-8)


def test_what_goes_on_as_it_went_is_forecast_without_error_by_the_ridge_and_with_one_by_the_last_value():
    line = np.arange(200.0)[:, None] * [1.0, -0.5]
    figures = baselines(line, np.arange(1, 100), np.arange(100, 140), np.arange(140, 190), 3)
    assert figures["ridge"]["mse"] < 1e-4
    assert figures["last_value"]["mse"] == pytest.approx(np.mean([1, 4, 9, 0.25, 1, 2.25]))


def test_the_strength_is_the_one_with_the_least_error_on_the_validation_part():
    assert choose_strength({1.0: 0.4, 10.0: 0.3, 100.0: 0.5}) == 10.0


def test_no_value_of_the_test_part_changes_what_is_fitted():
    parts = np.arange(8, 60), np.arange(60, 90), np.arange(100, 101)
    other = VALUES.copy()
    other[100:] = 50
    fitted = [Ridge(values, parts[0], 3, 8).predict(values, parts[2], STRENGTHS[0]) for values in (VALUES, other)]
    np.testing.assert_array_equal(*fitted)
    assert baselines(VALUES, *parts, 3) != baselines(other, *parts, 3)
