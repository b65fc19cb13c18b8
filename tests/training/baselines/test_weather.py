from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from training.baselines.weather import (
    STRENGTHS,
    Forecast,
    baselines,
    brier,
    choose_strength,
    climatology,
    mae,
    persistence,
    ridge,
    scores,
    truth,
)
from training.datasets import seattle_weather
from training.datasets.seattle_weather import MEASURES


@pytest.fixture(scope="module")
def days():
    return seattle_weather.read(seattle_weather.locate())


@pytest.fixture(scope="module")
def split(days):
    return seattle_weather.split(days)


@pytest.fixture(scope="module")
def of_2015(days, split):
    """The printed figures of the test year, by baseline."""
    forecasts = baselines(days, split, "test")
    return {name: printed(scores(days, split.test, forecast)) for name, forecast in forecasts.items()}


def printed(figures):
    return f"{figures['temp_max_mae']:.2f} / {figures['temp_min_mae']:.2f} / {figures['rain_brier']:.3f}"


def with_days_changed(days, which, value):
    """The same weather, but for other measurements on some days."""
    changed = {name: getattr(days, name).copy() for name in MEASURES}
    for column in changed.values():
        column[which] = value
    return replace(days, **changed)


def test_persistence_of_2015_is_the_published_figure(of_2015):
    assert of_2015["persistence"] == "2.24 / 1.49 / 0.296"


def test_the_climatology_of_rain_is_its_frequency_from_2012_to_2014(days, split, of_2015):
    forecast = baselines(days, split, "test")["climatology"].rain_probability
    np.testing.assert_allclose(forecast, days.rain[1:1096].mean())
    assert of_2015["climatology"].endswith("/ 0.241")


def test_the_ridge_of_2015_is_the_published_figure(of_2015):
    assert of_2015["ridge"] == "2.09 / 1.36 / 0.187"


def test_the_ridge_fitted_to_the_training_years_alone_is_weaker(days, split):
    forecast = ridge(days, split.train, split.test, choose_strength(days, split))
    assert printed(scores(days, split.test, forecast)) == "2.14 / 1.37 / 0.189"


def test_persistence_is_the_day_before():
    dates = np.arange("2020-02-28", "2020-03-03", dtype="datetime64[D]")
    numbers = np.arange(4, dtype=np.float32)
    days = seattle_weather.DailyWeather(dates, numbers, numbers + 10, numbers - 10, numbers, path=None, digest="")
    forecast = persistence(days, np.array([1, 3]))
    assert forecast.temp_max.tolist() == [10, 12]
    assert forecast.temp_min.tolist() == [-10, -8]
    assert forecast.rain_probability.tolist() == [0, 1]


def test_climatology_is_the_mean_of_the_known_days(days, split):
    forecast = climatology(days, split.train[:10], split.test)
    assert forecast.temp_max.tolist() == [pytest.approx(days.temp_max[1:11].mean())] * 365
    assert forecast.rain_probability.tolist() == [pytest.approx(days.rain[1:11].mean())] * 365


def test_the_ridge_is_the_solution_of_its_normal_equations(days, split):
    known, strength = split.train[1:], 7.0
    forecast = ridge(days, known, split.test, strength)

    def features(targets):
        columns = [days.precipitation, days.temp_max, days.temp_min, days.wind, days.rain]
        angle = 2 * np.pi * days.day_of_year[targets].astype(float) / 365.25
        recent = [column[targets - back].astype(float) for back in (1, 2) for column in columns]
        return np.stack([*recent, np.sin(angle), np.cos(angle)], axis=1)

    x, y = features(known), days.temp_max[known].astype(float)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    scaled = (x - mean) / spread
    weights = np.linalg.solve(scaled.T @ scaled + strength * np.eye(12), scaled.T @ (y - y.mean()))
    by_hand = (features(split.test) - mean) / spread @ weights + y.mean()
    np.testing.assert_allclose(forecast.temp_max, by_hand, rtol=1e-9)


def test_a_probability_stays_within_0_and_1(days, split):
    forecast = ridge(days, split.train, split.test, 0.1).rain_probability
    assert forecast.min() >= 0
    assert forecast.max() <= 1


def test_the_ridge_looks_at_two_days_before_the_target_and_not_at_the_target(days, split):
    target = split.test[100:101]
    before = ridge(days, split.train, target, 3.0).temp_max
    for back, seen in ((0, False), (1, True), (2, True), (3, False)):
        after = ridge(with_days_changed(days, target - back, 9.0), split.train, target, 3.0).temp_max
        assert (before != after).all() == seen, back


def test_the_ridge_cannot_forecast_the_first_two_days(days, split):
    with pytest.raises(ValueError, match=r"ridge got day 1 of .* as a target; expected 2 or later"):
        ridge(days, split.train, np.array([5, 1]), 3.0)


def test_the_strength_is_the_one_that_errs_least_on_the_validation_year(days, split):
    base = scores(days, split.validation, persistence(days, split.validation))

    def error(strength):
        errors = scores(days, split.validation, ridge(days, split.train, split.validation, strength))
        return sum(errors[name] / base[name] for name in base)

    assert choose_strength(days, split) == min(STRENGTHS, key=error) == 3.0
    assert choose_strength(days, split, strengths=[100.0, 30.0]) == 30.0


def test_no_day_of_the_test_year_changes_what_is_fitted(days, split):
    first = split.test[:1]
    other = with_days_changed(days, split.test, 1.0)
    assert choose_strength(other, split) == choose_strength(days, split)
    for name in ("climatology", "ridge"):
        before, after = (baselines(each, split, "test")[name] for each in (days, other))
        assert before.temp_max[0] == after.temp_max[0], name
        assert before.rain_probability[0] == after.rain_probability[0], name
    assert truth(other, first).temp_max != truth(days, first).temp_max


def test_what_is_forecast_for_the_validation_year_is_fitted_to_the_training_years(days, split):
    forecasts = baselines(days, split, "validation")
    strength = choose_strength(days, split)
    np.testing.assert_array_equal(
        forecasts["ridge"].temp_min, ridge(days, split.train, split.validation, strength).temp_min
    )
    np.testing.assert_allclose(forecasts["climatology"].rain_probability, days.rain[split.train].mean())


def test_a_land_without_rain_has_baselines_too(days, split):
    dry = replace(days, precipitation=np.zeros_like(days.precipitation))
    for name, forecast in baselines(dry, split, "test").items():
        assert scores(dry, split.test, forecast)["rain_brier"] == 0, name


def test_the_truth_has_no_error(days, split):
    assert set(scores(days, split.test, truth(days, split.test)).values()) == {0.0}


def test_each_score_is_that_of_its_own_column(days, split):
    was = truth(days, split.test)
    off = Forecast(was.temp_max + 2, was.temp_min - 3, np.full(365, 0.5))
    assert scores(days, split.test, off) == pytest.approx({"temp_max_mae": 2, "temp_min_mae": 3, "rain_brier": 0.25})


@given(arrays.arrays(float, 5, elements=st.floats(0, 1)), arrays.arrays(float, 5, elements=st.sampled_from([0.0, 1.0])))
def test_a_brier_score_is_the_mean_of_squares(probabilities, outcomes):
    by_hand = sum((p - o) ** 2 for p, o in zip(probabilities, outcomes, strict=True)) / 5
    assert brier(outcomes, probabilities) == pytest.approx(by_hand)
    assert 0 <= brier(outcomes, probabilities) <= 1


def test_a_mean_absolute_error_by_hand():
    assert mae(np.array([1.0, -2.0]), np.array([2.0, 1.0])) == 2.0
