"""Models of the zoo with other settings, or on other data, than in their row: what they should reach, and what they do.

    python -m training.zoo.variants [MODEL ...]

trains each with every seed in a home of its own, SEQZOO_HOME/zoo/MODEL, VARIANT, and writes what the exported versions
reach to models/weights/MODEL/variants.json. Their weights do not come along.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from training.datasets import sigmorphon2021
from training.errors import InputError
from training.evaluation import evaluate
from training.export import packed
from training.figures import shown
from training.home import default_repository, home
from training.zoo.goals import Goal
from training.zoo.in_turn import in_turn
from training.zoo.record import Record, of_version
from training.zoo.runs import SEEDS, run_of_seed

FILE = "variants.json"


@dataclass(frozen=True)
class Variant:
    """settings: what `--set` changes. locate: finds what `--data` names; None: the model's own data."""

    model: str
    name: str  # as the page calls it
    metric: str
    goal: Goal
    settings: Mapping[str, str] = field(default_factory=dict)
    locate: Callable[[], Path] | None = None

    def path(self) -> Path | None:
        """Where the data lie, downloaded where they are not here. Raises InputError where they cannot be had."""
        return self.locate and self.locate()

    def arguments(self, seed: int) -> list[str]:
        """Those of `seqzoo train`."""
        settings = [text for name, value in self.settings.items() for text in ("--set", f"{name}={value}")]
        path = self.path()
        return [self.model, *settings, *(["--data", str(path)] if path else []), "--seed", str(seed)]


FAR = {  # of far horizons, where the recurrence alone is behind a ridge regression
    "direct": "336",
    "direct_l2": "1e-3",
    "mirrored": "0.5",
    "loss": "mse",
    "stride": "1",
    "epochs": "6",
}


def _forecast(horizon: int, ridge: float, published: str = "", **more: str) -> Variant:
    """The must is what a ridge regression reaches; 3 % less error is the target, 8 % less the moonshot."""
    settings = {"horizon": str(horizon), **more}
    goal = Goal(ridge, round(0.97 * ridge, 3), round(0.92 * ridge, 3), published)
    return Variant("forecast", f"horizon {horizon}", "mse", goal, settings)


FEW = {  # for a language of which 8,000 words are known, not the 107,143 of CMUdict
    "batch_size": "64",
    "epochs": "40",
    "patience": "40",
    "dropout": "0.3",
}


def _pronounced(language: str, code: str, goal: Goal) -> Variant:
    return Variant("g2p", language, "word_error_rate", goal, FEW, partial(sigmorphon2021.locate, code))


VARIANTS = (
    _forecast(24, 0.310, segment="24"),
    _forecast(48, 0.342),
    _forecast(168, 0.397, **FAR),
    _forecast(336, 0.426, "SegRNN .423", **FAR),
    _forecast(720, 0.422, "SegRNN .466", **FAR),
    Variant("forecast", "oil temperature, horizon 24", "mse", Goal(0.028, 0.026, 0.025, "ridge .026"),
            {"target": "OT", "horizon": "24", "segment": "24"}),
    Variant("forecast", "oil temperature, horizon 96", "mse", Goal(0.057, 0.054, 0.052, "ridge .054"),
            {"target": "OT"}),
    _pronounced("Dutch", "dut", Goal(0.20, 0.177, 0.147, "an LSTM transducer .177, ten of them .147")),
    _pronounced("French", "fre", Goal(0.12, 0.102, 0.085, "ten transducers .085")),
    _pronounced("Hungarian", "hun", Goal(0.030, 0.020, 0.018, "ten transducers .018")),
)  # fmt: skip


def variants_of(model: str) -> list[Variant]:
    """Those of one model."""
    return [variant for variant in VARIANTS if variant.model == model]


def recorded(model: str) -> dict[str, Record]:
    """The records of a model's variants by their name, in the order of `VARIANTS`."""
    path = packed.folder_of(model) / FILE
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {each.name: Record(**found[each.name]) for each in variants_of(model) if each.name in found}


def all_recorded() -> dict[str, dict[str, Record]]:
    """Every record, by model and name."""
    return {model: found for model in dict.fromkeys(each.model for each in VARIANTS) if (found := recorded(model))}


def record(variant: Variant, repository: Path, seed: int = 0) -> Record:
    """Measures the exported version of the run with that seed, and puts the record to the model's others.

    Raises InputError when no such run is registered."""
    run = run_of_seed(variant.model, seed)
    found = evaluate(variant.model, repository, run.version, variant.path())
    made = of_version(run, repository / variant.model / str(run.version), found, variant.path())
    records = {**recorded(variant.model), variant.name: made}
    ordered = {each.name: asdict(records[each.name]) for each in variants_of(variant.model) if each.name in records}
    path = packed.folder_of(variant.model) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return made


def check(model: str) -> None:
    """Raises InputError where the data of a variant cannot be had."""
    for variant in variants_of(model):
        variant.path()


def train(model: str) -> None:
    """Trains each variant of a model with each seed and records what came of it; ends at the first that fails."""
    for variant in variants_of(model):
        trainings = [["training", *variant.arguments(seed)] for seed in SEEDS]
        place = home() / "zoo" / f"{model}, {variant.name}"
        in_turn(place, [*trainings, ["training.zoo.variants", "--record", model, variant.name]])


def main() -> None:
    """Trains all variants of the named models, or records the one that is named after --record."""
    try:
        if sys.argv[1:2] == ["--record"]:
            model, name = sys.argv[2:]
            (variant,) = (each for each in variants_of(model) if each.name == name)
            made = record(variant, default_repository())
            print(f"{model}, {name}: {variant.metric} {shown(made.figures[variant.metric])}")
            return
        models = sys.argv[1:] or list(dict.fromkeys(each.model for each in VARIANTS))
        for model in models:
            check(model)
        for model in models:
            train(model)
    except InputError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
