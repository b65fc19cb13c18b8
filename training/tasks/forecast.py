"""Training what follows: windows of several series, the time steps after them the target."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
from matplotlib.figure import Figure

from models.zoo.forecast import Forecast
from training import plots
from training.baselines import forecast as baselines
from training.baselines.forecast import errors, last_value, windows
from training.datasets import etth1, time_series
from training.datasets.summary import DataSummary
from training.errors import InputError
from training.outcomes import Outcome, mean_of
from training.run import TrainingRun
from training.tasks.task import Arrays, Part, Predict

BATCH = 128  # windows that are asked for at once
LOSSES = ("mae", "mse")
WEEK = 7 * 24  # windows that are drawn together where chance is judged: those that begin an hour apart overlap


@dataclass(frozen=True)
class ForecastRun(TrainingRun):
    """A training of `forecast`, for one horizon (a field of the network)."""

    epochs: int = 20
    patience: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    target: str = ""  # the one series that is forecast, from itself; empty: all series
    loss: str = "mae"  # or mse; in z-scores
    stride: int = 3  # of the training windows one in so many is used, and of the validation windows: they overlap


RUN = ForecastRun(model="forecast", network=Forecast())


def prepare(run: ForecastRun, data: Path | None = None) -> "ForecastTask":
    """Reads ETTh1, or the user's own CSV with a time column. Raises InputError where that cannot be used."""
    return ForecastTask(run, etth1.locate() if data is None else data, shared=data is None)


class ForecastTask:
    """A window is an example: `look_back` time steps, and the `horizon` that follow, which lie in one part."""

    def __init__(self, run: ForecastRun, path: Path, shared: bool) -> None:
        self.run = run
        self.network = cast(Forecast, run.network)
        whole = time_series.read(path)
        self.series = whole.only(run.target) if run.target else whole
        self.split = etth1.SPLIT if whole.digest == etth1.FILE.sha256 else time_series.split(whole)
        counts = ", ".join(f"{part} {end - begin:,}" for part, (begin, end) in self.split._asdict().items())
        self.data = DataSummary(
            name=etth1.FILE.data_set if shared else path.stem,
            source=etth1.FILE.url if shared else str(path.absolute()),
            sha256=self.series.digest,
            licence=etth1.FILE.licence if shared else "the user's own",
            table=whole.table(),
            split=f"by time: {counts} time steps",
        )
        self._check()
        train = self.series.values[slice(*self.split.train)].astype(np.float64)
        self.mean, self.spread = train.mean(axis=0), train.std(axis=0)
        self.scaled = ((self.series.values - self.mean) / self.spread).astype(np.float32)

    def inputs(self) -> Arrays:
        """values [windows, look_back, series], in the file's units."""
        return {"values": windows(self.series.values, self._training_windows(), self.network.look_back)}

    def targets(self) -> Arrays:
        """forecast [windows, horizon, series]: what followed, in z-scores of the training part."""
        return {"forecast": self._truth(self._training_windows())}

    def build(self) -> keras.Model:
        """The network, scaled by the training part."""
        model = self.network.build(len(self.series.names))
        model.adapt(self.series.values[slice(*self.split.train)])
        model({"values": windows(self.series.values, self._training_windows()[:1], self.network.look_back)})
        return model

    def losses(self) -> tuple[Mapping[str, Any], Mapping[str, float]]:
        """Absolute error in z-scores, less drawn to the few great errors than the square, or the square itself."""
        return {"forecast": self.run.loss}, {"forecast": 1.0}

    def evaluate(self, predict: Predict, part: Part) -> dict[str, float]:
        """Mean squared and absolute error in z-scores: of all windows of the test, of one in `stride` of validation."""
        ends = self._ends(part)
        ends = ends if part == "test" else ends[:: self.run.stride]
        return errors(self._truth(ends), self._forecast(predict, ends))

    def outcomes(self, predict: Predict, part: Part) -> dict[str, Outcome]:
        """The errors of each window, windows drawn a week at a time."""
        ends = self._ends(part)
        ends, block = (ends, WEEK) if part == "test" else (ends[:: self.run.stride], -(-WEEK // self.run.stride))
        difference = self._forecast(predict, ends) - self._truth(ends)
        squared, absolute = np.square(difference).mean(axis=(1, 2)), np.abs(difference).mean(axis=(1, 2))
        return {"mse": mean_of(squared, block), "mae": mean_of(absolute, block)}

    def score(self, figures: Mapping[str, float], part: Part) -> float:
        """The mean squared error."""
        return figures["mse"]

    def baselines(self) -> dict[str, dict[str, float]]:
        """The last value and the ridge regression, on all windows of the test."""
        train, validation, test = (self._ends(part) for part in ("train", "validation", "test"))
        return baselines.baselines(self.scaled, train, validation, test, self.network.horizon)

    def pictures(self, predict: Predict, history: Mapping[str, list[float]]) -> dict[str, Figure]:
        """Learning curves; the forecast of three windows of the test against what followed."""
        ends = self._ends("test")[[0, len(self._ends("test")) // 2, -1]]
        back = min(2 * self.network.horizon, self.network.look_back)
        place = self.series.names.index(self.series.names[-1])
        in_units = [
            each[..., place] * self.spread[place] + self.mean[place]
            for each in (
                self._truth(ends),
                self._forecast(predict, ends),
                last_value(self.scaled, ends, self.network.horizon),
            )
        ]
        before = windows(self.series.values, ends, back)[..., place]
        times = [self.series.times[end - back : end + self.network.horizon] for end in ends]
        return {
            "learning_curves": plots.learning_curves(history, best_by="validation_mse"),
            "forecast_against_truth": plots.windows_against_truth(self.series.names[place], times, before, *in_units),
        }

    def examples(self) -> dict[str, Arrays]:
        """The window before the last of the test; `step` takes its last day from the start of a sequence."""
        window = self._request(self._ends("test")[-1:])
        day = min(24, self.network.look_back)
        state = {
            "state_window": np.zeros((1, self.network.look_back, len(self.series.names)), np.float32),
            "state_count": np.zeros((1, 1), np.float32),
        }
        chunk = {"values": window["values"][:, -day:], "lengths": np.array([day], np.int32)}
        return {"serving_default": window, "step": {**chunk, **state}}

    def _ends(self, part: str) -> np.ndarray:
        """The first time step that each window forecasts; what it looks back at may lie in the part before."""
        begin, end = getattr(self.split, part)
        return np.arange(max(begin, self.network.look_back), end - self.network.horizon + 1)

    def _training_windows(self) -> np.ndarray:
        return self._ends("train")[:: self.run.stride]

    def _truth(self, ends: np.ndarray) -> np.ndarray:
        return windows(self.scaled, ends + self.network.horizon, self.network.horizon)

    def _request(self, ends: np.ndarray) -> dict[str, np.ndarray]:
        values = windows(self.series.values, ends, self.network.look_back)
        return {"values": values, "lengths": np.full(len(ends), self.network.look_back, np.int32)}

    def _forecast(self, predict: Predict, ends: np.ndarray) -> np.ndarray:
        """[windows, horizon, series] in z-scores."""
        cut = [ends[begin : begin + BATCH] for begin in range(0, len(ends), BATCH)]
        answers = np.concatenate([predict(self._request(some))["forecast"] for some in cut])
        if answers.shape[1] != self.network.horizon:
            raise InputError(
                f"the model forecasts {answers.shape[1]} time steps; expected {self.network.horizon}, the horizon of "
                "the run. Set the same horizon."
            )
        return (answers - self.mean) / self.spread

    def _check(self) -> None:
        """Raises InputError where a part has no window, or a series does not change."""
        network, path = self.network, self.series.path
        if self.run.loss not in LOSSES:
            raise InputError(f"loss={self.run.loss}: expected one of {', '.join(LOSSES)}.")
        try:
            network.check()
        except ValueError as error:
            raise InputError(str(error)) from None
        for part in ("train", "validation", "test"):
            least = self.run.batch_size * self.run.stride if part == "train" else 1
            if len(self._ends(part)) < least:
                begin, end = getattr(self.split, part)
                raise InputError(
                    f"{path}: look_back={network.look_back} and horizon={network.horizon} leave "
                    f"{len(self._ends(part))} windows in the {end - begin} time steps for the {part} part; expected "
                    f"{least} or more. Give a shorter look_back or horizon, or more data."
                )
        for name, values in zip(self.series.names, self.series.values[slice(*self.split.train)].T, strict=True):
            if values.min() == values.max():
                raise InputError(
                    f"{path}, column {name}: found {values[0]} in all lines of the training part; expected values that "
                    "change. Leave that column out."
                )
