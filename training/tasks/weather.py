"""Training tomorrow's weather on the days before: windows of days, two temperatures and the probability of rain."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
from matplotlib.figure import Figure

from models.layers.named import recurrence
from models.zoo.weather import COLUMNS, FORECASTS, Weather
from training import plots
from training.baselines import weather as baselines
from training.baselines.weather import Forecast
from training.datasets import seattle_weather
from training.datasets.summary import DataSummary
from training.errors import InputError
from training.outcomes import Outcome, mean_of
from training.run import TrainingRun
from training.tasks.task import Arrays, Part, Predict

WEEK = 7  # days that are drawn together where chance is judged: one day's weather is like the next one's


@dataclass(frozen=True)
class WeatherRun(TrainingRun):
    """A training of `weather`."""

    window_days: int = 28  # days that the network sees before it forecasts
    rain_weight: float = 0.5  # of the rain's cross-entropy beside the temperatures' errors in units of their spread


RUN = WeatherRun(model="weather", network=Weather())


def prepare(run: WeatherRun, data: Path | None = None) -> "WeatherTask":
    """Reads the Seattle weather, or the user's own CSV of that form. Raises InputError where that cannot be used."""
    path = seattle_weather.locate() if data is None else data
    return WeatherTask(run, path, shipped=data is None)


class WeatherTask:
    """Each day of the training years is a target, forecast from the window of days before it."""

    def __init__(self, run: WeatherRun, path: Path, shipped: bool) -> None:
        self.run = run
        self.days = seattle_weather.read(path)
        self.split = seattle_weather.split(self.days)
        origin = seattle_weather.FILE
        self.data = DataSummary(
            name=origin.data_set if shipped else path.stem,
            source=origin.url if shipped else str(path.absolute()),
            sha256=self.days.digest,
            licence=origin.licence if shipped else "the user's own",
            table=self.days.table(),
        )
        self.columns = {name: getattr(self.days, name) for name in COLUMNS}
        if len(self._training_days()) < run.batch_size:
            raise InputError(
                f"window_days={run.window_days} leaves {len(self._training_days())} days to train on, fewer than one "
                f"batch of {run.batch_size}; give a shorter window, or more years."
            )

    def inputs(self) -> Arrays:
        """Windows of the training years, [examples, window_days] for each column."""
        return windows(self.columns, self._training_days(), self.run.window_days)

    def targets(self) -> Arrays:
        """The weather of the day after each day of the windows."""
        rain = self.days.rain.astype(np.float32)
        truth = {"temp_max": self.days.temp_max, "temp_min": self.days.temp_min, "rain_probability": rain}
        next_day = {name: np.roll(values, -1) for name, values in truth.items()}
        return windows(next_day, self._training_days(), self.run.window_days)

    def build(self) -> keras.Model:
        """The network, scaled by the training years."""
        model = self.run.network.build()
        model.adapt({name: values[self.split.train] for name, values in self.columns.items()})
        model({name: values[None, : self.run.window_days] for name, values in self.columns.items()})
        return model

    def losses(self) -> tuple[Mapping[str, Any], Mapping[str, float]]:
        """Absolute error of the temperatures, in units of their spread, and cross-entropy of the rain."""
        spread = {name: float(np.std(self.columns[name][self.split.train])) for name in ("temp_max", "temp_min")}
        weights = {name: 0.5 / value for name, value in spread.items()}
        losses = {"temp_max": "mae", "temp_min": "mae", "rain_probability": "binary_crossentropy"}
        return losses, {**weights, "rain_probability": self.run.rain_weight}

    def evaluate(self, predict: Predict, part: Part) -> dict[str, float]:
        """Mean absolute errors in degrees Celsius and the Brier score of rain, over the part's year."""
        return baselines.scores(self.days, self._targets(part), self._forecast(predict, part))

    def outcomes(self, predict: Predict, part: Part) -> dict[str, Outcome]:
        """The error of each day of the part's year, days drawn a week at a time."""
        was, said = baselines.truth(self.days, self._targets(part)), self._forecast(predict, part)
        return {
            "temp_max_mae": mean_of(np.abs(was.temp_max - said.temp_max), WEEK),
            "temp_min_mae": mean_of(np.abs(was.temp_min - said.temp_min), WEEK),
            "rain_brier": mean_of(np.square(was.rain_probability - said.rain_probability), WEEK),
        }

    def score(self, figures: Mapping[str, float], part: Part) -> float:
        """Mean of the three errors, each as a share of the plain guess's; 1 is no better.

        The guess is persistence for the temperatures, and for rain its frequency in the training years."""
        days = self._targets(part)
        guess = baselines.scores(self.days, days, baselines.persistence(self.days, days))
        frequency = baselines.climatology(self.days, self.split.train, days)
        guess["rain_brier"] = baselines.scores(self.days, days, frequency)["rain_brier"]
        return float(np.mean([figures[name] / guess[name] for name in guess]))

    def baselines(self) -> dict[str, dict[str, float]]:
        """Persistence, climatology and the ridge regression on the test year."""
        forecasts = baselines.baselines(self.days, self.split, "test")
        return {name: baselines.scores(self.days, self.split.test, f) for name, f in forecasts.items()}

    def pictures(self, predict: Predict, history: Mapping[str, list[float]]) -> dict[str, Figure]:
        """Learning curves; the test year's forecast against what the weather was; how far probabilities hold."""
        days = self.split.test
        forecast, truth = self._forecast(predict, "test"), baselines.truth(self.days, days)
        return {
            "learning_curves": plots.learning_curves(history),
            "forecast_against_truth": plots.forecast_against_truth(
                self.days.dates[days], truth, forecast, baselines.persistence(self.days, days)
            ),
            "reliability": plots.reliability(forecast.rain_probability, self.days.rain[days]),
        }

    def examples(self) -> dict[str, Arrays]:
        """The window before the last day of the test year; `step` takes it from the start of a sequence."""
        window = self._windows(self.split.test[-1:])
        network = cast(Weather, self.run.network)
        parts = recurrence(network.cell).Cell.State._fields
        state = {f"state_{part}": np.zeros((1, network.units), np.float32) for part in parts}
        return {"serving_default": window, "step": {**window, **state}}

    def window_before(self, day: int) -> Arrays:
        """The inputs of `serving_default` that ask for one day, given by its index."""
        return self._windows(np.array([day]))

    def _forecast(self, predict: Predict, part: Part) -> Forecast:
        outputs = predict(self._windows(self._targets(part)))
        return Forecast(**{name: np.asarray(outputs[name], np.float64) for name in FORECASTS})

    def _windows(self, targets: np.ndarray) -> dict[str, np.ndarray]:
        cut = windows(self.columns, targets, self.run.window_days)
        return {**cut, "lengths": np.full(len(targets), self.run.window_days, np.int32)}

    def _targets(self, part: Part) -> np.ndarray:
        days: np.ndarray = getattr(self.split, part)
        return days

    def _training_days(self) -> np.ndarray:
        return self.split.train[self.split.train >= self.run.window_days]


def windows(columns: Arrays, targets: np.ndarray, length: int) -> dict[str, np.ndarray]:
    """The `length` days before each target day, [targets, length] for each column."""
    index = targets[:, None] + np.arange(-length, 0)
    return {name: values[index] for name, values in columns.items()}
