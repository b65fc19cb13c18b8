"""Tomorrow's weather without a network: persistence, climatology and a ridge regression on two days and the season.

    persistence: tomorrow as today      climatology: every day as the mean of the days known
    ridge: min_W | y - W x |^2 + strength | W |^2,   x = scaled measurements and rain of two days, season of tomorrow

On the Seattle weather, test year 2015 (mean absolute error of temp_max and temp_min in degrees Celsius, Brier score
of rain): persistence 2.24 / 1.49 / .296, climatology 6.04 / 4.05 / .241, ridge 2.09 / 1.36 / .187.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from training.datasets.seattle_weather import DailyWeather, Split

DAYS_IN_YEAR = 365.25
RIDGE_DAYS = 2
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


@dataclass(frozen=True, eq=False)
class Forecast:
    """temp_max and temp_min in degrees Celsius, rain_probability from 0 to 1, each [targets]."""

    temp_max: np.ndarray
    temp_min: np.ndarray
    rain_probability: np.ndarray


def truth(weather: DailyWeather, targets: np.ndarray) -> Forecast:
    """What the weather of the target days was; the probability of rain is 1 where it rained, else 0."""
    return Forecast(*np.array([weather.temp_max, weather.temp_min, weather.rain], np.float64)[:, targets])


def persistence(weather: DailyWeather, targets: np.ndarray) -> Forecast:
    """Each target day as the day before it."""
    return truth(weather, targets - 1)


def climatology(weather: DailyWeather, known: np.ndarray, targets: np.ndarray) -> Forecast:
    """Each target day as the mean of the known days, whatever the season: for rain, its frequency."""
    past = truth(weather, known)
    means = (past.temp_max.mean(), past.temp_min.mean(), past.rain_probability.mean())
    return Forecast(*(np.full(len(targets), mean) for mean in means))


def ridge(weather: DailyWeather, known: np.ndarray, targets: np.ndarray, strength: float) -> Forecast:
    """A ridge regression fitted to the known days; a probability that leaves 0 to 1 is set to the nearer of them.

    Raises ValueError for a target among the first two days: nothing is known of the days before it."""
    fitted = _fit(weather, known[known >= RIDGE_DAYS], strength)
    temp_max, temp_min, rain = fitted.predict(_features(weather, targets)).T
    return Forecast(temp_max, temp_min, np.clip(rain, 0, 1))


def choose_strength(weather: DailyWeather, split: Split, strengths: Sequence[float] = STRENGTHS) -> float:
    """The strength that, fitted to the training part, errs least on the validation part.

    The three errors are added as parts of those of persistence, so that none counts more for its unit."""
    least = np.array(list(scores(weather, split.validation, persistence(weather, split.validation)).values()))

    def error(strength: float) -> float:
        forecast = ridge(weather, split.train, split.validation, strength)
        errors = np.array(list(scores(weather, split.validation, forecast).values()))
        return float(np.sum(errors / np.maximum(least, np.finfo(float).tiny)))

    return min(strengths, key=error)


def baselines(weather: DailyWeather, split: Split, part: Literal["validation", "test"]) -> dict[str, Forecast]:
    """The forecasts of the target days of a part, by the name of the baseline.

    What is fitted is fitted to all days of the parts before it, for the test so to training and validation together:
    more than a network sees that keeps the validation for its early stop. The strength of the ridge is chosen on the
    validation part; the test days choose nothing."""
    known = split.train if part == "validation" else np.concatenate([split.train, split.validation])
    targets = getattr(split, part)
    return {
        "persistence": persistence(weather, targets),
        "climatology": climatology(weather, known, targets),
        "ridge": ridge(weather, known, targets, choose_strength(weather, split)),
    }


def scores(weather: DailyWeather, targets: np.ndarray, forecast: Forecast) -> dict[str, float]:
    """temp_max_mae and temp_min_mae in degrees Celsius, rain_brier from 0 to 1; lower is better."""
    was = truth(weather, targets)
    return {
        "temp_max_mae": mae(was.temp_max, forecast.temp_max),
        "temp_min_mae": mae(was.temp_min, forecast.temp_min),
        "rain_brier": brier(was.rain_probability, forecast.rain_probability),
    }


def mae(observed: np.ndarray, forecast: np.ndarray) -> float:
    """Mean absolute error, in the unit of both [targets]."""
    return float(np.mean(np.abs(observed - forecast)))


def brier(outcomes: np.ndarray, probabilities: np.ndarray) -> float:
    """Brier score: mean square of outcome (0 or 1) less probability, [targets] each; 0 is best, one half gives 0.25."""
    return float(np.mean(np.square(outcomes - probabilities)))


def _fit(weather: DailyWeather, known: np.ndarray, strength: float) -> Pipeline:
    was = truth(weather, known)
    outcomes = np.stack([was.temp_max, was.temp_min, was.rain_probability], axis=-1)
    return make_pipeline(StandardScaler(), Ridge(alpha=strength)).fit(_features(weather, known), outcomes)


def _features(weather: DailyWeather, targets: np.ndarray) -> np.ndarray:
    """[targets, 12]: five numbers of each of the two days before, and the season as a point on a circle."""
    if targets.min() < RIDGE_DAYS:
        raise ValueError(
            f"ridge got day {targets.min()} of {weather.path} as a target; expected {RIDGE_DAYS} or later, because it "
            f"looks at the {RIDGE_DAYS} days before. Leave the first days out."
        )
    measured = np.array(
        [weather.precipitation, weather.temp_max, weather.temp_min, weather.wind, weather.rain], np.float64
    )
    angle = 2 * np.pi / DAYS_IN_YEAR * weather.day_of_year[targets].astype(np.float64)
    before = [measured[:, targets - back] for back in range(1, RIDGE_DAYS + 1)]
    return np.concatenate([*before, np.stack([np.sin(angle), np.cos(angle)])]).T
