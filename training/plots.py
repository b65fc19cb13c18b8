"""The pictures of a training: learning curves, forecast against truth, confusions, attention, trust in probabilities.

Each is a figure of its own, drawn without pyplot: nobody else's figures, styles or backend change. The colours are
those of Okabe and Ito, which the colour-blind tell apart.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.baselines.weather import Forecast, brier, mae

TRUTH, FORECAST, PLAIN, MARK = "#000000", "#0072B2", "#B0B0B0", "#D55E00"
OF_RECURRENCES = (MARK, FORECAST, "#009E73", TRUTH)
WIDTH_INCHES, DPI = 9, 144  # as wide as a README shows it, sharp at twice that
VALIDATION = "validation_"
PANELS_IN_A_ROW = 3
NINETY_FIVE_PERCENT = 1.96  # standard deviations of a normal distribution to each side


def learning_curves(history: Mapping[str, Sequence[float]], best_by: str = "validation_score") -> Figure:
    """One panel for each figure over the epochs, from 1; `validation_x` shares the panel of `x`.

    history: a value for each epoch, by name. The epoch of the least `best_by` is marked in every panel, with the value
    there, where the history has it. Raises ValueError for a history without an epoch."""
    epochs = max((len(values) for values in history.values()), default=0)
    if not epochs:
        raise ValueError(
            f"learning_curves got no epoch in {dict(history)}; expected one or more. Train before drawing."
        )
    panels = list(dict.fromkeys(_panel_of(name, history) for name in history))
    columns = min(len(panels), PANELS_IN_A_ROW)
    rows = -(-len(panels) // columns)
    figure = _figure(width=max(5.0, WIDTH_INCHES / PANELS_IN_A_ROW * columns), height=0.4 + 2.3 * rows)
    axes = dict(zip(panels, figure.subplots(rows, columns, squeeze=False).flat, strict=False))
    for unused in figure.axes[len(panels) :]:
        unused.remove()
    best = int(np.argmin(history[best_by])) if best_by in history else None
    for name, values in history.items():
        ax = axes[_panel_of(name, history)]
        color, marker = FORECAST if name.startswith(VALIDATION) else TRUTH, "o" if epochs == 1 else None
        ax.plot(range(1, len(values) + 1), values, color=color, marker=marker, linewidth=1.4, label=_words(name))
    for panel, ax in axes.items():
        _dress(ax, _words(panel))
        if len(ax.lines) > 1:
            ax.legend(fontsize=8, frameon=False)
        if best is not None:
            values = history.get(VALIDATION + panel, history[panel])
            ax.axvline(best + 1, color=MARK, linewidth=0.8, linestyle=":")
            ax.set_title(f"{values[best]:.4g} at {best + 1}", loc="right", fontsize=8, color=MARK)
        ax.set_xlabel("epoch", fontsize=8)
        ax.set_xlim(0.5, epochs + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    return figure


def forecast_against_truth(dates: np.ndarray, truth: Forecast, forecast: Forecast, persistence: Forecast) -> Figure:
    """Three panels over the days: highest temperature, lowest, and the probability of rain with the days it rained.

    dates datetime64[D] [days]; truth, forecast and persistence (each day as the day before), [days] each. The title of
    a panel has the error of the forecast and that of persistence."""
    figure = _figure(WIDTH_INCHES, height=7.4)
    high, low, rain = figure.subplots(3, 1, sharex=True)
    for ax, name, title in ((high, "temp_max", "Highest temperature"), (low, "temp_min", "Lowest temperature")):
        was, said, plain = (getattr(each, name) for each in (truth, forecast, persistence))
        ax.plot(dates, plain, color=PLAIN, linewidth=0.8, label="persistence")
        ax.plot(dates, was, color=TRUTH, linestyle="none", marker=".", markersize=3.5, label="measured")
        ax.plot(dates, said, color=FORECAST, linewidth=1.4, label="forecast the day before")
        errors = f"off by {mae(was, said):.2f} °C on average (persistence {mae(was, plain):.2f})"
        _dress(ax, f"{title}: {errors}")
        ax.set_ylabel("°C", fontsize=8)
    rained = truth.rain_probability > 0.5
    rain.fill_between(dates, forecast.rain_probability, step="mid", color=FORECAST, alpha=0.25, linewidth=0)
    rain.plot(dates, forecast.rain_probability, color=FORECAST, linewidth=1.2, drawstyle="steps-mid", label="forecast")
    rain.plot(dates[rained], np.full(rained.sum(), 1.07), color=TRUTH, linestyle="none", marker="|", label="it rained")
    scores = (brier(truth.rain_probability, each.rain_probability) for each in (forecast, persistence))
    _dress(rain, "Probability of rain: Brier score {:.3f} (persistence {:.3f})".format(*scores))
    rain.set_ylim(0, 1.14)
    rain.set_yticks([0, 0.5, 1])
    locator = mdates.AutoDateLocator()
    rain.xaxis.set_major_locator(locator)
    rain.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    rain.set_xlim(dates[0] - np.timedelta64(2, "D"), dates[-1] + np.timedelta64(2, "D"))
    for ax in (high, rain):
        ax.legend(fontsize=8, frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    return figure


def reliability(probabilities: np.ndarray, outcomes: np.ndarray, bins: int = 10) -> Figure:
    """How often it happened where a probability was forecast, over how often each was forecast.

    probabilities from 0 to 1 and outcomes (true or 1 where it happened), [forecasts] each. A point stands for the
    forecasts of one bin. The band is where the points of one whose probabilities are right fall in 95 of 100 cases.
    Raises ValueError for no forecast, or a probability outside 0 to 1."""
    forecast, happened = np.asarray(probabilities, float), np.asarray(outcomes, float)
    if not (len(forecast) and np.all((forecast >= 0) & (forecast <= 1))):
        raise ValueError(
            f"reliability got {len(forecast)} probabilities {forecast}; expected one or more, each from 0 to 1. "
            "Give the model's outputs after the sigmoid."
        )
    which = np.minimum((forecast * bins).astype(int), bins - 1)
    counts = np.bincount(which, minlength=bins)
    filled = counts > 0
    said, was = (np.bincount(which, each, bins)[filled] / counts[filled] for each in (forecast, happened))
    chance = NINETY_FIVE_PERCENT * np.sqrt(said * (1 - said) / counts[filled])
    figure = _figure(width=5, height=5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], color=PLAIN, linewidth=1, label="as often as forecast")
    upper.fill_between(said, said - chance, said + chance, color=PLAIN, alpha=0.3, linewidth=0, label="within chance")
    upper.plot(said, was, color=FORECAST, marker="o", markersize=4, linewidth=1.4, label="it happened")
    _dress(upper, f"How often it happened: Brier score {brier(happened, forecast):.3f}")
    upper.set_ylim(-0.03, 1.03)
    upper.legend(fontsize=8, frameon=False, loc="upper left")
    lower.bar((np.arange(bins) + 0.5) / bins, counts, 0.9 / bins, color=FORECAST, alpha=0.5)
    _dress(lower, f"How often it was forecast: {len(forecast)} forecasts")
    lower.set_xlim(-0.03, 1.03)
    lower.set_xlabel("forecast probability", fontsize=8)
    return figure


def confusion_matrix(truth: Sequence[str], said: Sequence[str], most: int = 24) -> Figure:
    """Which label is taken for which: a row for each true label, its shares over the labels that were said.

    truth and said [examples]. Of more labels than `most` those that are confused most often are shown. Raises
    ValueError for no example, or two lists of different lengths."""
    if not truth or len(truth) != len(said):
        raise ValueError(
            f"confusion_matrix got {len(truth)} true labels and {len(said)} that were said; expected as many of both, "
            "one or more. Give a label for each example."
        )
    pairs = Counter(zip(truth, said, strict=True))
    wrong = Counter(label for (was, got), count in pairs.items() if was != got for label in (was, got) * count)
    labels = sorted({*truth, *said})
    shown = sorted(sorted(labels, key=lambda label: -wrong[label])[:most])
    counts = np.array([[pairs[was, got] for got in shown] for was in shown], float)
    totals = np.array([[max(1, sum(n for (was, _), n in pairs.items() if was == label))] for label in shown])
    figure = _figure(*(2 * (2.5 + 0.34 * len(shown),)))
    ax = figure.subplots()
    ax.imshow(counts / totals, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if count > 0.6 * totals[row, 0] else TRUTH
            ax.text(column, row, f"{count:.0f}", ha="center", va="center", fontsize=6, color=color)
    right = sum(count for (was, got), count in pairs.items() if was == got)
    of_all = "" if len(shown) == len(labels) else f", the {len(shown)} labels of {len(labels)} confused most often"
    _dress(ax, f"{right:,} of {len(truth):,} right{of_all}")
    ax.grid(visible=False)
    ax.set_xticks(range(len(shown)), shown, rotation=90, fontsize=7)
    ax.set_yticks(range(len(shown)), shown, fontsize=7)
    ax.set_xlabel("said", fontsize=8)
    ax.set_ylabel("true", fontsize=8)
    return figure


def windows_against_truth(
    name: str,
    times: Sequence[np.ndarray],
    before: np.ndarray,
    truth: np.ndarray,
    forecast: np.ndarray,
    plain: np.ndarray,
) -> Figure:
    """A panel for each window: a series before it, what followed, the forecast, and the last value again.

    times: of each window datetime64 [look_back + horizon]; before [windows, look_back]; truth, forecast and plain
    [windows, horizon], all in the series' units. The title of a panel has the errors of forecast and last value."""
    figure = _figure(WIDTH_INCHES, height=0.4 + 2.3 * len(times))
    panels = figure.subplots(len(times), 1, squeeze=False)[:, 0]
    for ax, when, past, was, said, repeated in zip(panels, times, before, truth, forecast, plain, strict=True):
        future = when[len(past) :]
        ax.plot(when[: len(past)], past, color=TRUTH, linewidth=1.0, alpha=0.5, label="before")
        ax.plot(future, repeated, color=PLAIN, linewidth=1.2, label="last value")
        ax.plot(future, was, color=TRUTH, linewidth=1.2, label="measured")
        ax.plot(future, said, color=FORECAST, linewidth=1.4, label="forecast")
        _dress(ax, f"{name}: off by {mae(was, said):.3g} on average (last value {mae(was, repeated):.3g})")
        ax.axvline(when[len(past) - 1], color=MARK, linewidth=0.8, linestyle=":")
        locator = mdates.AutoDateLocator()
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    panels[0].legend(fontsize=8, frameon=False, ncols=4, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    return figure


def attention_maps(maps: Sequence[tuple[Sequence[str], Sequence[str], np.ndarray]], columns: int = 3) -> Figure:
    """A panel for each sequence: how much each step of the output, a row, looked at each step of the input, a column.

    maps: (inputs, outputs, weights [outputs, inputs] from 0 to 1). Raises ValueError for weights of another shape."""
    for inputs, outputs, weights in maps:
        if weights.shape != (len(outputs), len(inputs)):
            raise ValueError(
                f"attention_maps got weights of shape {weights.shape} for {len(inputs)} inputs and {len(outputs)} "
                "outputs; expected [outputs, inputs]. Cut the padding off."
            )
    rows = -(-len(maps) // columns)
    figure = _figure(WIDTH_INCHES, height=3.1 * rows)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in panels[len(maps) :]:
        unused.remove()
    for ax, (inputs, outputs, weights) in zip(panels, maps, strict=False):
        ax.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        _dress(ax, "".join(inputs))
        ax.grid(visible=False)
        ax.set_xticks(range(len(inputs)), inputs)
        ax.set_yticks(range(len(outputs)), outputs)
    return figure


def curves_of_recurrences(
    curves: Mapping[str, Sequence[Mapping[str, Sequence[float]]]], names: Sequence[str]
) -> Figure:
    """A panel for each of the named figures over the epochs, a colour for each recurrence, a line for each seed.

    curves: by recurrence, for each seed the values of each epoch by name. The legend has the mean least value."""
    figure = _figure(WIDTH_INCHES, height=3.2)
    for ax, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for color, (recurrence, seeds) in zip(OF_RECURRENCES, curves.items(), strict=False):
            best = float(np.mean([min(each[name]) for each in seeds]))
            for number, each in enumerate(seeds):
                label = f"{recurrence}: {best:.4g}" if number == 0 else None
                ax.plot(range(1, len(each[name]) + 1), each[name], color=color, linewidth=1.2, alpha=0.8, label=label)
        _dress(ax, _words(name))
        ax.legend(fontsize=8, frameon=False, title="least value", title_fontsize=8)
        ax.set_xlabel("epoch", fontsize=8)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    return figure


def gradients_over_time(sizes: Mapping[str, np.ndarray]) -> Figure:
    """How large the gradient is at each time step before the last, by name, [steps] each with 1 at the last step.

    Names have the form "recurrence, when": a colour for each recurrence, dashes for what is untrained."""
    figure = _figure(WIDTH_INCHES, height=3.2)
    ax = figure.subplots()
    recurrences = list(dict.fromkeys(name.partition(",")[0] for name in sizes))
    for name, values in sizes.items():
        color = OF_RECURRENCES[recurrences.index(name.partition(",")[0]) % len(OF_RECURRENCES)]
        steps_back = np.arange(len(values))[::-1]
        ax.plot(
            steps_back, values, color=color, linewidth=1.4, linestyle="--" if "untrained" in name else "-", label=name
        )
    _dress(ax, "size of the gradient, as a share of that at the last time step")
    ax.set_yscale("log")
    ax.set_xlabel("time steps back from the end", fontsize=8)
    ax.legend(fontsize=8, frameon=False)
    return figure


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")


def _dress(ax: Axes, title: str) -> None:
    ax.set_title(title, loc="left", fontsize=9)
    ax.tick_params(labelsize=8, length=3)
    ax.grid(visible=True, color="#E6E6E6", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _panel_of(name: str, history: Mapping[str, Sequence[float]]) -> str:
    bare = name.removeprefix(VALIDATION)
    return bare if bare in history else name


def _words(name: str) -> str:
    return name.replace("_", " ")
