"""Models of the zoo with other settings, or on other data, than in their row: what they should reach, and what they do.

    python -m training.zoo.variants [MODEL ...]

trains each with every seed in a home of its own, SEQZOO_HOME/zoo/MODEL, VARIANT, and writes what the exported versions
reach to models/weights/MODEL/variants.json. Their weights do not come along.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from training.errors import InputError
from training.evaluation import evaluate
from training.export import packed
from training.home import default_repository, home
from training.zoo.goals import Goal
from training.zoo.record import Record, of_version
from training.zoo.runs import run_of_seed

FILE = "variants.json"
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Variant:
    """settings: what `--set` changes. data: what `--data` names, below SEQZOO_DATA; empty: the model's own."""

    model: str
    name: str  # as the page calls it
    metric: str
    goal: Goal
    settings: Mapping[str, str] = field(default_factory=dict)
    data: str = ""

    def path(self) -> Path | None:
        """Where the data lie. Raises InputError where SEQZOO_DATA does not hold them."""
        if not self.data:
            return None
        path = Path(os.environ.get("SEQZOO_DATA", "")) / self.data
        if not path.is_file():
            raise InputError(f"{self.model}, {self.name}: found no {path}; SEQZOO_DATA must name its folder.")
        return path

    def arguments(self, seed: int) -> list[str]:
        """Those of `seqzoo train`."""
        settings = [text for name, value in self.settings.items() for text in ("--set", f"{name}={value}")]
        path = self.path()
        return [self.model, *settings, *(["--data", str(path)] if path else []), "--seed", str(seed)]


def _forecast(horizon: int, ridge: float, published: str = "", segment: int = 48) -> Variant:
    """The must is what a ridge regression reaches; 3 % less error is the target, 8 % less the moonshot."""
    settings = {"horizon": str(horizon), **({} if segment == 48 else {"segment": str(segment)})}
    goal = Goal(ridge, round(0.97 * ridge, 3), round(0.92 * ridge, 3), published)
    return Variant("forecast", f"horizon {horizon}", "mse", goal, settings)


def _pronounced(language: str, file: str, goal: Goal) -> Variant:
    return Variant("g2p", language, "word_error_rate", goal, data=f"g2p-sigmorphon2021/{file}_train.tsv")


VARIANTS = (
    _forecast(24, 0.310, segment=24),
    _forecast(48, 0.342),
    _forecast(168, 0.397),
    _forecast(336, 0.426, "SegRNN .423"),
    _forecast(720, 0.422, "SegRNN .466"),
    Variant("forecast", "oil temperature, horizon 24", "mse", Goal(0.028, 0.026, 0.025, "ridge .026"),
            {"target": "OT", "horizon": "24", "segment": "24"}),
    Variant("forecast", "oil temperature, horizon 96", "mse", Goal(0.057, 0.054, 0.052, "ridge .054"),
            {"target": "OT"}),
    _pronounced("Dutch", "dut", Goal(0.20, 0.177, 0.147, "an LSTM transducer .177, ten of them .147")),
    _pronounced("French", "fre", Goal(0.12, 0.102, 0.085, "ten transducers .085")),
    _pronounced("Hungarian", "hun", Goal(0.030, 0.020, 0.018, "ten transducers .018")),
)  # fmt: skip


def recorded(model: str) -> dict[str, Record]:
    """The records of a model's variants by their name, in the order of `VARIANTS`."""
    path = packed.folder_of(model) / FILE
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    names = [variant.name for variant in VARIANTS if variant.model == model]
    return {name: Record(**found[name]) for name in names if name in found}


def record(variant: Variant, repository: Path, seed: int = 0) -> Record:
    """Measures the exported version of the run with that seed, and puts the record to the model's others.

    Raises InputError when no such run is registered."""
    run = run_of_seed(variant.model, seed)
    found = evaluate(variant.model, repository, run.version, variant.path())
    made = of_version(run, repository / variant.model / str(run.version), found, variant.path())
    _write({**recorded(variant.model), variant.name: made})
    return made


def train(variant: Variant, seeds: tuple[int, ...] = SEEDS) -> int:
    """Trains with each seed and records what came of it; the status of the process that failed, or 0."""
    place = home() / "zoo" / f"{variant.model}, {variant.name}"
    own = {**os.environ, "SEQZOO_HOME": str(place)}
    trainings = [["training", *variant.arguments(seed)] for seed in seeds]
    for module in [*trainings, ["training.zoo.variants", "--record", variant.model, variant.name]]:
        done = subprocess.run([sys.executable, "-m", *module], env=own, check=False)
        if done.returncode:
            return done.returncode
    return 0


def _write(records: Mapping[str, Record]) -> None:
    model = next(iter(records.values())).model
    path = packed.folder_of(model) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = {v.name: asdict(records[v.name]) for v in VARIANTS if v.model == model and v.name in records}
    path.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Trains all variants of the named models, or records the one that is named after --record."""
    if sys.argv[1:2] == ["--record"]:
        model, name = sys.argv[2:]
        (variant,) = (each for each in VARIANTS if (each.model, each.name) == (model, name))
        print(f"{model}, {name}: {variant.metric} {record(variant, default_repository()).figures[variant.metric]:.4f}")
        return
    named = sys.argv[1:] or sorted({variant.model for variant in VARIANTS})
    for variant in (each for each in VARIANTS if each.model in named):
        status = train(variant)
        if status:
            sys.exit(status)


if __name__ == "__main__":
    main()
