"""A search for better settings: a study of trials, each a nested MLflow run, chosen by the validation figure.

Suggestions by the tree-structured Parzen estimator (Bergstra et al. 2011); a trial is stopped where its best so far is
worse than the median of the others at the same epoch. The study lies in SEQZOO_HOME/tuning.db: the same command goes on
with it. The test data are not looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import mlflow

from models.zoo import entry
from training.errors import InputError
from training.home import home
from training.registered_gradients import forgotten_after
from training.run import TrainingRun, with_settings
from training.tasks.table import task_module
from training.tracking import recording, store
from training.zoo.comparison import UNITS_STEP
from training.zoo.nested import StoppedError, train_nested

Say = Callable[[str], None]

LARGEST_DROPOUT = 0.7
RATE_FACTOR, UNITS_FACTOR = 5.0, 2.0  # the range of a setting: its default by and times so much
TRIALS_BEFORE_PRUNING = 4


@dataclass(frozen=True)
class Tuned:
    """The best trial of a study: its validation figure, its settings as texts, and how many trials there are."""

    value: float
    settings: dict[str, str]
    trials: int
    pruned: int


def tune(model: str, trials: int, settings: Mapping[str, str], seed: int = 0, say: Say = print) -> Tuned:
    """Adds trials to the study of the model with these fixed settings, and returns the best of all of them.

    Raises InputError when optuna is not installed, or when fewer than one trial is asked for."""
    optuna = _optuna()
    if trials < 1:
        raise InputError(f"--trials {trials}: expected 1 or more.")
    defaults = with_settings(task_module(model).RUN, settings)
    store.connect()
    experiment, metric = store.use_experiment(model), entry(model).metric
    home().mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=" ".join([model, *(f"{key}={value}" for key, value in sorted(settings.items()))]),
        storage=f"sqlite:///{home() / 'tuning.db'}",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=TRIALS_BEFORE_PRUNING, n_warmup_steps=2),
    )
    # a further call must not suggest again what the first one did
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))

    @forgotten_after()
    def objective(trial: Any) -> float:
        run = with_settings(defaults, suggested(trial, defaults, settings))

        def after_epoch(epoch: int, figures: Mapping[str, float]) -> None:
            trial.report(figures[metric], epoch)
            if trial.should_prune():
                raise StoppedError(f"after epoch {epoch}: worse than the median")

        try:
            made = train_nested(run, experiment, f"{model}-trial{trial.number}", after_epoch=after_epoch)
        except StoppedError as stopped:
            raise optuna.TrialPruned from stopped
        return made.progress.best_value

    def tell(study: Any, trial: Any) -> None:
        shown = ", ".join(f"{key}={_text(value)}" for key, value in trial.params.items())
        state = trial.state.name  # a trial that was stopped has the value of its last epoch
        ended = f"{metric} {trial.value:.4f}" if state == "COMPLETE" else state.lower()
        say(f"  trial {trial.number}: {ended}; {shown}")

    with recording.recorded(experiment, f"{model}-tune", study.user_attrs.get("run_id")) as parent:
        study.set_user_attr("run_id", parent.info.run_id)
        study.optimize(objective, n_trials=trials, callbacks=[tell], catch=(FloatingPointError,))
        states = [trial.state.name for trial in study.trials]
        if "COMPLETE" not in states:
            raise InputError(f"none of {len(states)} trials of {model!r} came to its end; try a lower learning_rate.")
        mlflow.log_metrics({f"best_{metric}": study.best_value, "trials": len(states)})
    best = {key: _text(value) for key, value in study.best_params.items()}
    return Tuned(study.best_value, {**settings, **best}, len(states), states.count("PRUNED"))


def suggested(trial: Any, run: TrainingRun, fixed: Mapping[str, str]) -> dict[str, str]:
    """A value for each setting that is searched: learning rate, units and every dropout that the user did not fix."""
    found: dict[str, str] = {}
    if "learning_rate" not in fixed:
        low, high = run.learning_rate / RATE_FACTOR, run.learning_rate * RATE_FACTOR
        found["learning_rate"] = _text(trial.suggest_float("learning_rate", low, high, log=True))
    for each in fields(run.network):  # type: ignore[arg-type]
        value = getattr(run.network, each.name)
        if each.name in fixed:
            continue
        if each.name == "units":
            low, high = _even(value / UNITS_FACTOR), _even(value * UNITS_FACTOR)
            found["units"] = str(trial.suggest_int("units", low, high, step=UNITS_STEP))
        elif each.name.endswith("dropout"):
            found[each.name] = _text(trial.suggest_float(each.name, 0.0, LARGEST_DROPOUT, step=0.05))
    return found


def _even(units: float) -> int:
    return UNITS_STEP * max(1, round(units / UNITS_STEP))


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise InputError("`seqzoo tune` needs optuna; `pip install 'seqzoo[tune]'`.") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
