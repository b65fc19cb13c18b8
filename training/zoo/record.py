"""A recorded run: what a training of the zoo reached, and its weights made small, to come along with the code.

    python -m training.zoo.record weather

takes the run of seed 0 from the store under SEQZOO_HOME, and the figures of other seeds with the same settings. Half
precision is kept where it changes no digit of a figure that `seqzoo evaluate` prints.

    python -m training.zoo.record --seeds weather

only adds the figures of the seeds in that store to the record that is there: long trainings need not all be one day's.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.zoo import ZOO, entry
from training.errors import InputError
from training.evaluation import Evaluation, evaluate, own_run
from training.export import packed
from training.export import repository as repositories
from training.export.card import card, with_figures
from training.export.command import export
from training.figures import shown
from training.home import default_repository
from training.tasks.table import task_module
from training.tasks.task import Task
from training.zoo.latency import cores, latency_ms
from training.zoo.runs import SeededRun, figures_by_seed, run_of_seed

FILE = "record.json"
MOST_BYTES = 16 * packed.MEGABYTE  # of the weights of one model


@dataclass(frozen=True)
class Record:
    """figures, intervals: of the weights that come along, on the test data. seeds: the test figures of each seed's
    run. training_seconds: of the recorded run, by the wall clock. parameters: trained numbers. export_bytes: of the
    SavedModel, weights_bytes of what comes along. latency_ms: of one call with one example, the median."""

    model: str
    figures: dict[str, float]
    intervals: dict[str, list[float]] = field(default_factory=dict)
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)
    seeds: dict[str, dict[str, float]] = field(default_factory=dict)
    seed: int | None = None
    run_id: str = ""
    code_revision: str = ""
    data: str | None = None
    data_sha256: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    training_seconds: float | None = None
    parameters: int = 0
    precision: str = ""
    weights_bytes: int = 0
    export_bytes: int = 0
    latency_ms: float = 0.0
    cores: int = 0


def recorded(model: str) -> Record | None:
    """The record that comes along, or None where the model has none."""
    path = packed.folder_of(model) / FILE
    return Record(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def all_recorded() -> dict[str, Record]:
    """Every record, by the name of its model."""
    return {name: found for name in sorted(ZOO) if (found := recorded(name)) is not None}


def write(record: Record) -> Path:
    """Writes the record beside the model's weights."""
    path = packed.folder_of(record.model) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
    return path


def record(model: str, repository: Path, seed: int = 0) -> Record:
    """Packs the weights of a trained model's run with that seed, measures them, and writes the record beside them.

    Of a model whose weights are given there is nothing to pack. Raises InputError when no such run is registered, or
    when the weights are too large."""
    if entry(model).data is None:
        return _given(model)

    run = run_of_seed(model, seed)
    folder = repository / model / str(run.version)
    if not folder.is_dir():
        raise InputError(f"{repository} does not hold version {run.version} of {model!r}; export it there first.")
    lineage = repositories.lineage(folder)
    whole = evaluate(model, repository, run.version)
    found, precision = _packed(model, folder, whole)
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = Path(scratch) / "version"
        packed.unpack(packed.folder_of(model), unpacked)
        latency = latency_ms(unpacked)
    _state_figures(model, found, lineage, precision)
    made = replace(
        of_version(run, folder, found),
        precision=precision,
        weights_bytes=packed.size(packed.folder_of(model)),
        latency_ms=latency,
    )
    write(made)
    return made


def add_seeds(model: str) -> Record:
    """Adds the test figures of the registered runs to the model's record, of those that differ from it in the seed
    alone: a new one joins, one that is there gets the figures of its newer run.

    Raises InputError when there is no record, or no such run."""
    earlier = recorded(model)
    if earlier is None:
        raise InputError(f"{model!r} has no record in {packed.folder_of(model)}; record seed 0 first, without --seeds.")
    defaults = {name: str(value) for name, value in task_module(model).RUN.parameters().items() if name != "seed"}
    settings = {**defaults, **earlier.settings}  # a setting that came after the record had no other value then
    found = figures_by_seed(model, settings, earlier.data_sha256)
    more = {seed: figures for seed, figures in found.items() if seed != str(earlier.seed)}
    if not more:
        raise InputError(
            f"no run of {model!r} with another seed than {earlier.seed}, and the settings and data of its record, is "
            f"registered under SEQZOO_HOME; `seqzoo train {model} --seed {(earlier.seed or 0) + 1}` makes one."
        )
    made = replace(earlier, seeds=dict(sorted({**earlier.seeds, **more}.items())))
    _rewrite_card(model, made.figures, made.baselines)
    write(made)
    return made


def of_version(run: SeededRun, folder: Path, found: Evaluation, data: Path | None = None) -> Record:
    """The record of a run's exported version in `folder`, of which nothing comes along; data: as it was trained on."""
    lineage = repositories.lineage(folder)
    module = task_module(folder.parent.name)
    task: Task = module.prepare(own_run(module.RUN, lineage), data)
    return Record(
        model=folder.parent.name,
        figures=found.test,
        intervals={name: list(interval) for name, interval in found.intervals.items()},
        baselines=found.baselines,
        seeds=run.figures_by_seed,
        seed=run.seed,
        run_id=run.run_id,
        code_revision=str(lineage["code_revision"]),
        data=task.data.name,
        data_sha256=task.data.sha256,
        settings=run.settings,
        training_seconds=round(run.seconds, 1),
        parameters=parameters_of(task.build()),
        export_bytes=packed.size(folder),
        cores=cores(),
    )


def _given(model: str) -> Record:
    with tempfile.TemporaryDirectory() as scratch:
        folder = export(model, Path(scratch))
        found = evaluate(model, Path(scratch))
        made = Record(
            model=model,
            figures=found.test,
            parameters=parameters_of(entry(model).network().build()),
            precision="float32",
            export_bytes=packed.size(folder),
            latency_ms=latency_ms(folder),
            cores=cores(),
        )
    write(made)
    return made


def _packed(model: str, folder: Path, whole: Evaluation) -> tuple[Evaluation, str]:
    """Packs in half precision where no printed figure changes, else in full; the figures of what was packed."""
    target = packed.folder_of(model)
    for half in (True, False):
        packed.pack(folder, target, half)
        with tempfile.TemporaryDirectory() as scratch:
            version = Path(scratch) / model / str(packed.VERSION)
            packed.unpack(target, version)
            found = evaluate(model, Path(scratch))
        if not half or _printed(found.test) == _printed(whole.test):
            break
    if packed.size(target) > MOST_BYTES:
        raise InputError(f"the weights of {model} take {packed.size(target)} bytes; expected {MOST_BYTES} at most.")
    return found, "float16" if half else "float32"


def _printed(figures: Mapping[str, float]) -> dict[str, str]:
    return {name: shown(value) for name, value in figures.items()}


def _state_figures(model: str, found: Evaluation, lineage: dict[str, Any], precision: str) -> None:
    """The card and the lineage then state the figures of these very weights."""
    measured = {f"test_{name}": value for name, value in found.test.items()}
    stated = {**lineage, "metrics": {**lineage.get("metrics", {}), **measured}, "precision": precision}
    path = packed.folder_of(model) / packed.EXTRA / "lineage.json"
    path.write_text(json.dumps(stated, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _rewrite_card(model, found.test, found.baselines)


def _rewrite_card(model: str, test: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]) -> None:
    """The card that comes along is today's, with the figures and the lineage of the weights beside it."""
    extra = packed.folder_of(model) / packed.EXTRA
    lineage = json.loads((extra / "lineage.json").read_text(encoding="utf-8"))
    text = with_figures(card(model), {f"{model} (this version)": test, **baselines}, lineage)
    (extra / "model_card.md").write_text(text, encoding="utf-8")


def parameters_of(network: Any) -> int:
    """How many numbers are trained."""
    return int(sum(np.prod(variable.shape) for variable in network.trainable_variables))


def main() -> None:
    """Records the models that are named as arguments, from the store and the repository under SEQZOO_HOME."""
    names = [name for name in sys.argv[1:] if name != "--seeds"]
    for model in names or sorted(ZOO):
        made = add_seeds(model) if "--seeds" in sys.argv else record(model, default_repository())
        figures = ", ".join(f"{name} {shown(value)}" for name, value in made.figures.items())
        print(f"{model}: {figures}; {made.precision}, {made.weights_bytes:,} bytes; seeds {', '.join(made.seeds)}")


if __name__ == "__main__":
    main()
