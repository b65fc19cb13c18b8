"""Small data of the same form as those that do not ship, drawn with a fixed seed."""

import re
from datetime import datetime, timedelta

import numpy as np

LABELS = ("high", "low", "mid")


def labelled_series(count=30, channels=3, seed=0):
    """(values [time, channels], label) of that many series, of 4 to 12 time steps; the label shows in the values."""
    rng = np.random.default_rng(seed)
    level = {"high": 1.0, "low": -1.0, "mid": 0.0}
    for number in range(count):
        label = LABELS[number % len(LABELS)]
        yield rng.normal(level[label], 0.3, (rng.integers(4, 13), channels)).round(3), label


def ts_lines(series):
    """The lines of a .ts file."""
    yield from ("# made up", "@timeStamps false", "@classLabel true high low mid", "@data")
    for values, label in series:
        yield ":".join([*(",".join(map(str, channel)) for channel in values.T), label])


def csv_lines(series):
    """The lines of a CSV file with a time step a row."""
    series = list(series)
    yield ",".join(["series", "label", *(f"c{place}" for place in range(series[0][0].shape[1]))])
    for number, (values, label) in enumerate(series):
        for step in values:
            yield ",".join([str(number), label, *map(str, step)])


def ts_file(folder):
    """A .ts file of 30 series."""
    path = folder / "series.ts"
    path.write_text("\n".join(ts_lines(labelled_series())) + "\n")
    return path


def hourly_lines(count=400, series=2, seed=0):
    """The lines of a CSV file of hourly values: daily waves with noise."""
    rng = np.random.default_rng(seed)
    yield ",".join(["date", *(f"s{place}" for place in range(series))])
    for hour in range(count):
        time = datetime(2020, 1, 1) + timedelta(hours=hour)
        wave = 10 + 3 * np.sin(2 * np.pi * hour / 24 + np.arange(series)) + rng.normal(0, 0.3, series)
        yield ",".join([str(time), *(f"{value:.4f}" for value in wave)])


def hourly_file(folder):
    """A CSV file of 400 hours of two series."""
    path = folder / "hours.csv"
    path.write_text("\n".join(hourly_lines()) + "\n")
    return path


def sentences_file(folder):
    """A text that says the same two lines again and again."""
    path = folder / "sentences.txt"
    path.write_text("the cook bakes a pie,\nthe cook eats a burger.\n" * 60)
    return path


def pairs_file(folder, name="pairs", count=40):
    """Tab-separated pairs: made-up words, a phoneme for each letter but that a doubled one is long."""
    rng = np.random.default_rng(0)
    words = {"".join(rng.choice(list("abdeÉ"), rng.integers(2, 7))) for _ in range(3 * count)}
    lines = []
    for word in sorted(words)[:count]:
        phonemes = re.sub(r"(.)\1+", r"\1ː", word.lower())
        lines.append(f"{word}\t{' '.join(re.findall('.ː?', phonemes))}")
    path = folder / f"{name}.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
