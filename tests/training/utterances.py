"""Made-up requests to an assistant, in the files of the SNIPS data."""

from pathlib import Path

import numpy as np

FORMS = {
    "PlayMusic": ("play {artist} now", "put on {artist} please"),
    "GetWeather": ("weather in {city}", "will it rain in {city} {day}"),
}
SLOTS = {
    "artist": ("bob dylan", "björk", "the rolling stones", "nina simone"),
    "city": ("oslo", "new york", "rome"),
    "day": ("today", "on sunday"),
}
COUNTS = {"train": 40, "valid": 8, "test": 8}


def utterance(rng):
    """(words, tags, intent)."""
    intent = rng.choice(list(FORMS))
    words, tags = [], []
    for word in rng.choice(FORMS[intent]).split():
        kind = word.strip("{}")
        named = rng.choice(SLOTS[kind]).split() if kind in SLOTS else [word]
        words += named
        tags += ["O"] if kind not in SLOTS else [f"B-{kind}", *[f"I-{kind}"] * (len(named) - 1)]
    return " ".join(words), " ".join(tags), str(intent)


def write_part(folder: Path, count: int, seed: int) -> list[tuple[str, str, str]]:
    drawn = [utterance(np.random.default_rng([seed, n])) for n in range(count)]
    folder.mkdir(parents=True, exist_ok=True)
    for form, column in zip(("seq.in", "seq.out", "label"), zip(*drawn, strict=True), strict=True):
        (folder / form).write_text("\n".join(column) + "\n", encoding="utf-8")
    return drawn


def write_utterances(folder: Path) -> Path:
    """A folder with train/, valid/ and test/."""
    for seed, (part, count) in enumerate(COUNTS.items()):
        write_part(folder / "utterances" / part, count, seed)
    return folder / "utterances"
