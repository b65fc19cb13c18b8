"""Series to the time steps that follow without a network: the last value again, and a ridge regression on the window.

    last_value: y_(t+k) = x_t
    ridge:      y_(t+k) - x_t = w_k . ( x_(t-L+1) - x_t, ..., x_t - x_t ) + b_k,   min | error |^2 + strength | w |^2

One regression for all series, fitted to all windows of the training part; its strength is chosen on the validation
part. All in z-scores of the training part.

ETTh1, seven series, all windows of the test, mean squared error of the ridge with L = 336 as a run logs it: .370 at
horizon 96 and .428 at 336; of the last value 1.294 and 1.330.
"""

import numpy as np

WINDOW = 336  # time steps that the ridge sees, where the training part is long enough
STRENGTHS = (1.0, 10.0, 100.0, 1000.0, 10000.0)


def windows(values: np.ndarray, ends: np.ndarray, length: int) -> np.ndarray:
    """The `length` time steps before each end: [ends, length, ...] of values [time, ...].

    Raises ValueError where an end lies less than `length` after the first time step, or behind the last."""
    if len(ends) and (ends.min() < length or ends.max() > len(values)):
        raise ValueError(
            f"windows got ends from {ends.min()} to {ends.max()} in {len(values)} time steps; expected them from "
            f"{length}, the length of a window, to the number of time steps. Leave the others out."
        )
    found: np.ndarray = values[ends[:, None] + np.arange(-length, 0)]
    return found


def errors(truth: np.ndarray, forecast: np.ndarray) -> dict[str, float]:
    """mse and mae over all windows, time steps and series, both [windows, horizon, series] in z-scores."""
    difference = forecast.astype(np.float64) - truth
    return {"mse": float(np.mean(np.square(difference))), "mae": float(np.mean(np.abs(difference)))}


def last_value(values: np.ndarray, ends: np.ndarray, horizon: int) -> np.ndarray:
    """The last value before each end, repeated: [ends, horizon, series]."""
    return np.repeat(values[ends - 1][:, None], horizon, axis=1)


class Ridge:
    """The regression of one horizon, fitted for each of several strengths from one pass over the windows."""

    def __init__(self, values: np.ndarray, ends: np.ndarray, horizon: int, length: int) -> None:
        """values [time, series] in z-scores; ends [windows]: the first time step to be forecast of each."""
        self.horizon, self.length = horizon, length
        size, count = length - 1, len(ends) * values.shape[1]
        xx, xy = np.zeros((size, size)), np.zeros((size, horizon))
        x_sum, y_sum = np.zeros(size), np.zeros(horizon)
        for place in range(values.shape[1]):  # a series after the other: all at once would be gigabytes
            one = values[:, place].astype(np.float64)
            last = one[ends - 1][:, None]
            x = windows(one, ends, length)[:, :-1] - last
            y = windows(one, ends + horizon, horizon) - last
            xx, xy, x_sum, y_sum = xx + x.T @ x, xy + x.T @ y, x_sum + x.sum(axis=0), y_sum + y.sum(axis=0)
        self.x_mean, self.y_mean = x_sum / count, y_sum / count
        self.eigenvalues, self.eigenvectors = np.linalg.eigh(xx - count * np.outer(self.x_mean, self.x_mean))
        self.projected = self.eigenvectors.T @ (xy - count * np.outer(self.x_mean, self.y_mean))

    def predict(self, values: np.ndarray, ends: np.ndarray, strength: float) -> np.ndarray:
        """The forecasts [ends, horizon, series] with that strength."""
        weights = self.eigenvectors @ (self.projected / (self.eigenvalues + strength)[:, None])
        last = values[ends - 1][:, None]
        x = (windows(values, ends, self.length) - last)[:, :-1] - self.x_mean[:, None]
        return last + np.einsum("nls,lh->nhs", x, weights, optimize=True) + self.y_mean[:, None]


def baselines(
    values: np.ndarray, train: np.ndarray, validation: np.ndarray, test: np.ndarray, horizon: int
) -> dict[str, dict[str, float]]:
    """The test errors of both by name; train, validation, test [windows]: the first time step to be forecast of each.

    The ridge sees `WINDOW` time steps, or as many as leave half of the training windows."""
    length = max(2, min(WINDOW, int(train[0] + len(train) // 2)))
    fitted = Ridge(values, train[train >= length], horizon, length)

    def error(ends: np.ndarray, strength: float) -> dict[str, float]:
        return errors(windows(values, ends + horizon, horizon), fitted.predict(values, ends, strength))

    strength = choose_strength({each: error(validation, each)["mse"] for each in STRENGTHS})
    repeated = last_value(values, test, horizon)
    return {"last_value": errors(windows(values, test + horizon, horizon), repeated), "ridge": error(test, strength)}


def choose_strength(validation_errors: dict[float, float]) -> float:
    """The strength with the least error on the validation part."""
    return min(validation_errors, key=lambda strength: validation_errors[strength])
