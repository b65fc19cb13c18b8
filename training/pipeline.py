"""The whole line: data, batches, network, epochs, MLflow run, registered version, SavedModel in the repository."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import keras
import mlflow
import tensorflow as tf

from models.zoo import Entry, entry
from training import checkpoint, precision
from training.checkpoint import Progress, State
from training.distribution import Team
from training.errors import InputError
from training.export import repository as repositories
from training.export.card import card, with_figures
from training.export.contract import signature_tensors
from training.export.revision import code_revision
from training.export.saved_model import write
from training.fitting import fit, optimizer
from training.home import checkpoints
from training.run import TrainingRun
from training.shared import SharedExamples, keep_to_loops, shared_text, take_up_sums
from training.tasks.table import task_module
from training.tasks.task import AlsoAligns, Arrays, MeansOverSteps, Predict, Task, TaskOfSequences, WritesSamples
from training.tracking import recording, registry, store
from training.tracking.registry import Version
from training.walk import ShuffledExamples, Walk, WalksItself

Say = Callable[[str], None]
LATER = ("precision", "jit_compile")  # parameters that checkpoints of earlier versions do not name


@dataclass(frozen=True)
class Trained:
    """A finished training: the network, its registered version, where that lies, and the figures of the test data."""

    model: keras.Model
    version: Version
    champion: Version
    folder: Path
    test: dict[str, float]
    baselines: dict[str, dict[str, float]]


def train(
    run: TrainingRun,
    repository: Path,
    data: Path | None = None,
    resume: bool = False,
    say: Say = print,
    minutes: float | None = None,
    team: Team | None = None,
) -> Trained:
    """Trains, logs, registers and exports a model of the zoo.

    data: the user's own file in place of the shipped one. resume: goes on from the last finished epoch of the newest
    training of this model that has not ended, with that training's own parameters. say: gets a line of progress.
    minutes: how long this call may train; evaluation and export come on top. team: the replicas that train together, of
    which this process is the chief; the other workers call `follow`.
    Raises InputError for what a user gave wrongly, TrainingInterruptedError at SIGINT and SIGTERM, WorkerLostError when
    another worker is gone."""
    precision.check(run)
    module = task_module(run.model)
    zoo_entry = entry(run.model)
    progress, state = _resumed(run) if resume else (None, None)
    task: Task = module.prepare(run, data)
    if team is not None:
        team.check_same(_told(run, task, resume, minutes))
    store.connect()
    experiment = store.use_experiment(run.model)

    keras.utils.set_random_seed(run.seed)
    tf.config.experimental.enable_op_determinism()
    model, walk = prepared(task, run, team)
    answering = answering_of(task, run, model, team)
    signatures = zoo_entry.signatures(answering)
    predict = in_memory(signatures[zoo_entry.evaluated])

    with recorded_run(experiment, run, progress) as active:
        if progress is None:
            progress = Progress(run.model, active.info.run_id, run.parameters())
            mlflow.log_params(run.parameters())
            if minutes is not None:
                mlflow.set_tag("minutes", f"{minutes:g}")  # which epoch was the last is then the machine's affair
            if team is not None:
                mlflow.set_tag("replicas", str(team.replicas))  # each draws what it drops out by itself
            recording.log_data(task.data)
            recording.log_environment()
        if task.data.split:
            say(f"Data {task.data.name}: {task.data.split}")
        if team is not None:
            say(f"Sharing each batch among {team.replicas} replicas, {team.workers} workers in all")
        say(f"Training {run.model}: run {active.info.run_id} in experiment {run.model!r} at {store.uri()}")

        def validate() -> Mapping[str, float]:
            copy_weights(model, answering)
            if isinstance(task, AlsoAligns):
                figures = task.validate(in_memory(signatures["align"]))
            else:
                figures = task.evaluate(predict, "validation")
            if isinstance(task, WritesSamples):
                recording.log_sample(progress.epoch + 1, task.sample(in_memory(signatures["generate"])))
            return {zoo_entry.metric: task.score(figures, "validation"), **_named("validation", figures)}

        with precision.explaining_compilation(run):
            fit(model, run, walk, validate, zoo_entry.metric, progress, state, recording.log_epoch, say, minutes, team)
        copy_weights(model, answering)
        trained = _finish(task, zoo_entry, answering, signatures, predict, run, progress, repository, say)
    if team is not None:
        team.wait_for_all()
    return trained


def follow(
    run: TrainingRun,
    team: Team,
    data: Path | None = None,
    resume: bool = False,
    say: Say = print,
    minutes: float | None = None,
) -> None:
    """Trains with the chief, with the same arguments; logs and keeps nothing. Returns when the chief has exported.

    Raises what `train` raises."""
    precision.check(run)
    task: Task = task_module(run.model).prepare(run, data)
    keras.utils.set_random_seed(run.seed)
    tf.config.experimental.enable_op_determinism()
    team.check_same(_told(run, task, resume, minutes))
    model, walk = prepared(task, run, team)
    say(f"Training {run.model}: worker {team.worker} of {team.workers}, worker 0 logs and exports")
    progress = Progress(run.model, "", run.parameters())

    def not_asked() -> Mapping[str, float]:
        return {}

    def not_logged(epoch: int, figures: Mapping[str, float]) -> None:
        """The chief does."""

    fit(model, run, walk, not_asked, entry(run.model).metric, progress, None, not_logged, say, minutes, team)
    team.wait_for_all()


def in_memory(call: Any) -> Predict:
    """A signature of a network in memory, as arrays to arrays."""

    def predict(inputs: Arrays) -> Arrays:
        names = [spec.name for spec in call.input_signature]
        return {name: value.numpy() for name, value in call(*(tf.constant(inputs[n]) for n in names)).items()}

    return predict


def recorded_run(experiment: str, run: TrainingRun, progress: Progress | None) -> Any:
    """The MLflow run of a training, or the one that `progress` goes on with."""
    return recording.recorded(experiment, f"{run.model}-seed{run.seed}", progress.run_id if progress else None)


def prepared(task: Task, run: TrainingRun, team: Team | None = None) -> tuple[keras.Model, Walk]:
    """The network with its optimizer, and the way through the task's examples."""
    if team is None:
        return _prepared(task, run, None)
    if run.jit_compile == "yes":
        raise InputError(
            "--jit-compile cannot be combined with --strategy, whose sums XLA does not compile; leave one."
        )
    with team.noticing_loss(), team.strategy.scope():
        return _prepared(task, run, team)


def _prepared(task: Task, run: TrainingRun, team: Team | None) -> tuple[keras.Model, Walk]:
    model = task.build()
    precision.take_up(model, run)
    if team is not None:
        keep_to_loops(model, team)
    if isinstance(task, WalksItself):
        walk = task.walk(model)
        return model, walk if team is None else shared_text(team, walk)
    losses, weights = task.losses()
    lengths = task.lengths() if isinstance(task, TaskOfSequences) else None
    if team is not None:
        counts = task.steps() if isinstance(task, MeansOverSteps) else None
        shared = SharedExamples(team, model, run, task.inputs(), task.targets(), losses, weights, lengths, counts)
        take_up_sums(model, optimizer(run, shared.examples))
        return model, shared
    examples = ShuffledExamples(model, run, task.inputs(), task.targets(), lengths)
    model.compile(optimizer(run, examples.examples), loss=dict(losses), loss_weights=dict(weights))
    told = {name: keras.KerasTensor((None, *array.shape[1:]), array.dtype) for name, array in examples.targets.items()}
    model._compile_loss.build(told, told)  # else in the first step, which TensorFlow then traces twice
    precision.compile_steps(model, run, examples.inputs)
    return model, examples


def answering_of(task: Task, run: TrainingRun, model: keras.Model, team: Team | None = None) -> keras.Model:
    """The network that is validated and exported: the trained one, or where that computes in less than float32, or lies
    on several devices, one of the same form, for `copy_weights`."""
    return model if team is None and run.precision == precision.FLOAT32 else task.build()


def copy_weights(model: keras.Model, other: keras.Model) -> None:
    """Gives the other network, of the same form, what this one has learnt."""
    if other is not model:
        for own, learnt in zip(other.variables, model.variables, strict=True):
            own.assign(learnt.numpy())


def _told(run: TrainingRun, task: Task, resume: bool, minutes: float | None) -> dict[str, Any]:
    """What all workers must be told alike."""
    return {**run.parameters(), "data": task.data.sha256, "resume": resume, "minutes": minutes}


def _resumed(run: TrainingRun) -> tuple[Progress, State]:
    newest = checkpoint.newest(run.model)
    if newest is None:
        raise InputError(f"no unfinished training of {run.model!r} lies in {checkpoints()}; train without --resume.")
    progress, state = checkpoint.load(newest)
    then = {**{f.name: f.default for f in fields(run) if f.name in LATER}, **progress.parameters}
    differing = {name: (then.get(name), value) for name, value in run.parameters().items() if then.get(name) != value}
    if differing:
        listed = ", ".join(f"{name} was {before!r}, now {now!r}" for name, (before, now) in differing.items())
        raise InputError(f"--resume goes on with the same settings, but {listed}; give those of run {progress.run_id}.")
    return progress, state


def _named(part: str, figures: Mapping[str, float]) -> dict[str, float]:
    return {f"{part}_{name}": value for name, value in figures.items()}


def _finish(
    task: Task,
    zoo_entry: Entry,
    model: keras.Model,
    signatures: Mapping[str, Any],
    predict: Predict,
    run: TrainingRun,
    progress: Progress,
    repository: Path,
    say: Say,
) -> Trained:
    test, baselines = task.evaluate(predict, "test"), task.baselines()
    best = {"best_epoch": progress.best_epoch, f"best_{zoo_entry.metric}": progress.best_value}
    mlflow.log_metrics({**_named("test", test), **best, recording.TRAINING_SECONDS: progress.seconds})
    for name, figures in baselines.items():
        mlflow.log_metrics(_named(f"test_{name}", figures))
    recording.log_pictures(task.pictures(predict, progress.history))
    if isinstance(task, AlsoAligns):
        recording.log_pictures(task.attention_maps(in_memory(signatures["align"])))

    lineage = {
        "run_id": progress.run_id,
        "data": task.data.name,
        "data_sha256": task.data.sha256,
        "code_revision": code_revision(),
        "metrics": {**_named("test", test), zoo_entry.metric: progress.best_value},
        "parameters": run.parameters(),
    }
    text = with_figures(card(run.model), {f"{run.model} (this version)": test, **baselines}, lineage)
    mlflow.log_text(text, "model_card.md")
    examples = task.examples()
    with repositories.incoming(repository, run.model) as folder:
        say("Writing the SavedModel and registering the version")
        write(folder, model, signatures, examples, text, lineage)
        uri = recording.log_model(folder, signature_tensors(folder), examples["serving_default"])
        version = registry.register(run.model, uri, progress.best_value)
        published = repositories.publish(folder, repository, run.model, version.number)
    champion = registry.crown(run.model)
    checkpoint.drop(progress.run_id)
    return Trained(model, version, champion, published, test, baselines)
