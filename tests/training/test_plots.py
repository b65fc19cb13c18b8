import io
import subprocess
import sys

import matplotlib.dates as mdates
import numpy as np
import pytest

from training import plots
from training.baselines.weather import Forecast
from training.plots import (
    forecast_against_truth,
    learning_curves,
    reliability,
    windows_against_truth,
)

HISTORY = {
    "loss": [0.9, 0.7, 0.6, 0.5],
    "validation_loss": [1.0, 0.8, 0.75, 0.9],
    "validation_score": [0.97, 0.94, 0.92, 0.95],
    "validation_rain_brier": [0.24, 0.20, 0.19, 0.18],
}


def line(ax, label):
    """The points of a line, by the name that the legend gives it."""
    (found,) = [each for each in ax.lines if each.get_label() == label]
    return found.get_xdata(), found.get_ydata()


def left_title(ax):
    return ax.get_title(loc="left")


def as_png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer)
    return buffer.getvalue()


@pytest.fixture
def year():
    """Dates and three distinct forecasts of them."""
    rng = np.random.default_rng(5)
    dates = np.arange("2015-01-01", "2016-01-01", dtype="datetime64[D]")
    truth = Forecast(rng.normal(16, 7, 365), rng.normal(8, 5, 365), (rng.random(365) < 0.4).astype(float))
    forecast = Forecast(truth.temp_max + 2, truth.temp_min - 1, np.full(365, 0.5))
    persistence = Forecast(truth.temp_max + 3, truth.temp_min + 4, 1 - truth.rain_probability)
    return dates, truth, forecast, persistence


def test_each_figure_has_a_panel_and_validation_shares_that_of_training():
    figure = learning_curves(HISTORY)
    assert [left_title(ax) for ax in figure.axes] == ["loss", "validation score", "validation rain brier"]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["loss", "validation loss"]


def test_a_curve_has_the_values_of_the_history_over_the_epochs_from_1():
    figure = learning_curves(HISTORY)
    panels = [["loss", "validation_loss"], ["validation_score"], ["validation_rain_brier"]]
    for ax, names in zip(figure.axes, panels, strict=True):
        for name in names:
            epochs, values = line(ax, name.replace("_", " "))
            assert list(epochs) == [1, 2, 3, 4]
            assert list(values) == HISTORY[name]


def test_the_best_epoch_by_the_score_is_marked_in_every_panel_with_the_value_there():
    figure = learning_curves(HISTORY)
    for ax, value in zip(figure.axes, ["0.75 at 3", "0.92 at 3", "0.19 at 3"], strict=True):
        assert ax.get_title(loc="right") == value
        assert [list(each.get_xdata()) for each in ax.lines].count([3, 3]) == 1


def test_another_figure_can_say_which_epoch_is_best():
    figure = learning_curves(HISTORY, best_by="validation_rain_brier")
    assert figure.axes[0].get_title(loc="right") == "0.9 at 4"


def test_a_history_without_the_score_has_no_mark():
    figure = learning_curves({"loss": [3.0, 2.0]})
    assert len(figure.axes) == 1
    assert len(figure.axes[0].lines) == 1
    assert figure.axes[0].get_title(loc="right") == ""


def test_one_epoch_is_seen_as_a_point():
    (ax,) = learning_curves({"loss": [3.0]}).axes
    assert ax.lines[0].get_marker() == "o"
    assert as_png(ax.figure)


@pytest.mark.parametrize("history", [{}, {"loss": []}])
def test_a_history_without_an_epoch_is_an_error(history):
    with pytest.raises(ValueError, match=r"learning_curves got no epoch in .*; expected one or more"):
        learning_curves(history)


@pytest.mark.parametrize(("panels", "epochs"), [(1, 3), (2, 1), (3, 2), (4, 1), (5, 4), (6, 1), (7, 2), (8, 5)])
def test_as_many_panels_as_figures_whatever_their_number(panels, epochs):
    history = {f"figure_{number}": [float(number)] * epochs for number in range(panels)}
    assert [left_title(ax) for ax in learning_curves(history).axes] == [f"figure {number}" for number in range(panels)]


def test_the_temperatures_are_those_given_day_by_day(year):
    dates, truth, forecast, persistence = year
    high, low, _ = forecast_against_truth(*year).axes
    for ax, name in ((high, "temp_max"), (low, "temp_min")):
        for label, each in (("measured", truth), ("forecast the day before", forecast), ("persistence", persistence)):
            days, values = line(ax, label)
            np.testing.assert_array_equal(days, dates)
            np.testing.assert_array_equal(values, getattr(each, name))


def test_the_probability_of_rain_is_that_given_and_the_days_it_rained_are_marked_above_it(year):
    dates, truth, forecast, _ = year
    rain = forecast_against_truth(*year).axes[2]
    np.testing.assert_array_equal(line(rain, "forecast")[1], forecast.rain_probability)
    days, heights = line(rain, "it rained")
    np.testing.assert_array_equal(days, dates[truth.rain_probability == 1])
    assert min(heights) > 1
    assert rain.get_ylim()[1] > max(heights)


def test_the_titles_have_the_errors_of_forecast_and_persistence(year):
    assert [left_title(ax) for ax in forecast_against_truth(*year).axes] == [
        "Highest temperature: off by 2.00 °C on average (persistence 3.00)",
        "Lowest temperature: off by 1.00 °C on average (persistence 4.00)",
        "Probability of rain: Brier score 0.250 (persistence 1.000)",
    ]


def test_all_days_are_within_the_picture(year):
    for ax in forecast_against_truth(*year).axes:
        first, last = mdates.num2date(ax.get_xlim())
        assert (str(first.date()), str(last.date())) == ("2014-12-30", "2016-01-02")


def test_a_year_without_rain_can_be_drawn(year):
    dates, truth, forecast, persistence = year
    dry = Forecast(truth.temp_max, truth.temp_min, np.zeros(365))
    figure = forecast_against_truth(dates, dry, forecast, persistence)
    assert len(line(figure.axes[2], "it rained")[0]) == 0
    assert as_png(figure)


def test_a_point_is_how_often_it_happened_where_a_probability_was_forecast():
    probabilities = np.array([0.12, 0.18, 0.72, 0.78, 0.75, 0.75])
    outcomes = np.array([False, True, True, True, True, False])
    upper, lower = reliability(probabilities, outcomes).axes
    said, was = line(upper, "it happened")
    np.testing.assert_allclose(said, [0.15, 0.75])
    np.testing.assert_allclose(was, [0.5, 0.75])
    assert [bar.get_height() for bar in lower.patches] == [0, 2, 0, 0, 0, 0, 0, 4, 0, 0]
    assert left_title(upper).endswith(f"Brier score {np.mean((probabilities - outcomes) ** 2):.3f}")


def test_zero_and_one_lie_in_the_outer_bins():
    upper, lower = reliability(np.array([0.0, 1.0, 1.0]), np.array([0, 1, 1])).axes
    assert [bar.get_height() for bar in lower.patches] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert list(line(upper, "it happened")[1]) == [0, 1]


def test_right_probabilities_lie_within_the_band_in_most_bins():
    rng = np.random.default_rng(0)
    probabilities = rng.random(5000)
    upper, _ = reliability(probabilities, rng.random(5000) < probabilities).axes
    (band,) = upper.collections
    (edge,) = band.get_paths()
    said, was = line(upper, "it happened")
    inside = [edge.contains_point((x, y), radius=1e-6) for x, y in zip(said[1:-1], was[1:-1], strict=True)]
    assert sum(inside) >= 7
    half_width = max(y for x, y in edge.vertices if np.isclose(x, said[5])) - said[5]
    assert half_width == pytest.approx(1.96 * np.sqrt(0.25 / 500), rel=0.1)


@pytest.mark.parametrize("wrong", [[], [0.5, 1.1], [-0.1, 0.5], [np.nan, 0.5]])
def test_what_is_no_probability_is_an_error(wrong):
    with pytest.raises(
        ValueError, match=r"reliability got \d probabilities .*; expected one or more, each from 0 to 1"
    ):
        reliability(np.array(wrong), np.zeros(len(wrong)))


def test_every_figure_becomes_a_png_as_wide_as_a_readme_shows_it(year):
    for figure in (
        learning_curves(HISTORY),
        forecast_against_truth(*year),
        reliability(np.array([0.3]), np.array([1])),
    ):
        png = as_png(figure)
        assert png.startswith(b"\x89PNG")
        assert 700 <= int.from_bytes(png[16:20]) <= 1300


def test_drawing_changes_neither_the_backend_nor_the_styles_and_figures_of_the_caller():
    program = """
import matplotlib, sys
before = matplotlib.rcParams.copy()
from training.plots import learning_curves
learning_curves({"loss": [1.0]}).savefig("/dev/null", format="png")
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.rcParams.copy() == before
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_windows_are_drawn_with_what_came_before_and_the_errors_in_the_title():
    times = [np.datetime64("2020-01-01") + np.arange(5) + 10 * place for place in range(2)]
    before, truth = np.zeros((2, 3)), np.array([[1.0, 2.0], [3.0, 5.0]])
    figure = windows_against_truth("OT", times, before, truth, truth + np.array([[0.5], [0.25]]), np.zeros((2, 2)))
    upper, lower = figure.axes
    assert left_title(upper) == "OT: off by 0.5 on average (last value 1.5)"
    assert left_title(lower) == "OT: off by 0.25 on average (last value 4)"
    days, values = line(lower, "forecast")
    np.testing.assert_array_equal(days, times[1][3:])
    np.testing.assert_array_equal(values, [3.25, 5.25])
    assert as_png(figure)


def test_a_confusion_matrix_counts_each_pair_of_a_true_and_a_said_label():
    figure = plots.confusion_matrix(["a", "a", "b", "c"], ["a", "b", "b", "a"])
    (ax,) = figure.axes
    assert ax.get_title(loc="left") == "2 of 4 right"
    counts = {text.get_position(): text.get_text() for text in ax.texts}  # (said, true)
    assert counts == {(0, 0): "1", (1, 0): "1", (1, 1): "1", (0, 2): "1"}
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.5, 0.5, 0], [0, 1, 0], [1, 0, 0]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]


def test_of_many_labels_those_that_are_confused_most_are_shown():
    truth = [f"l{n:02}" for n in range(30)] + ["l03"] * 2
    (ax,) = plots.confusion_matrix(truth, truth[:30] + ["l07"] * 2, most=2).axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["l03", "l07"]
    assert "the 2 labels of 30 confused most often" in ax.get_title(loc="left")
    np.testing.assert_allclose(ax.images[0].get_array(), [[1 / 3, 2 / 3], [0, 1]])


@pytest.mark.parametrize(("truth", "said"), [([], []), (["a"], [])])
def test_a_confusion_matrix_of_nothing_says_what_it_expects(truth, said):
    with pytest.raises(ValueError, match=r"got \d true labels and \d that were said; expected as many of both"):
        plots.confusion_matrix(truth, said)


def test_an_attention_map_has_a_row_for_each_output_and_a_column_for_each_input():
    weights = np.random.default_rng(0).dirichlet(np.ones(3), size=2)
    first, second = plots.attention_maps([("cat", ["K", "T"], weights), ("a", ["AH"], np.ones((1, 1)))]).axes
    np.testing.assert_array_equal(first.images[0].get_array(), weights)
    assert [label.get_text() for label in first.get_xticklabels()] == ["c", "a", "t"]
    assert [label.get_text() for label in first.get_yticklabels()] == ["K", "T"]
    assert (left_title(first), left_title(second)) == ("cat", "a")


def test_attention_of_another_shape_says_what_it_expects():
    with pytest.raises(ValueError, match=r"weights of shape \(3, 2\) for 3 inputs and 2 outputs; expected"):
        plots.attention_maps([("cat", ["K", "T"], np.ones((3, 2)))])
