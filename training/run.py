"""A training run as one frozen value: what is not in it does not change the result."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from models.zoo.entry import Network
from training.errors import InputError


@dataclass(frozen=True)
class TrainingRun:
    """What every training has; a task adds its own fields. Logged whole as the run's parameters."""

    model: str
    network: Network
    seed: int = 0
    epochs: int = 40  # at most; early stop may end before
    patience: int = 10  # epochs without a better validation figure before the early stop
    batch_size: int = 32
    learning_rate: float = 3e-3  # at the start; falls to 0 over the epochs as a half cosine
    weight_decay: float = 1e-3  # of AdamW
    gradient_clip: float = 1.0  # global norm
    average_decay: float = 0.0  # of the moving average of the weights that is validated and kept; 0: no average
    precision: str = "float32"  # or mixed_bfloat16, of the recurrences while they are trained; see `training.precision`
    jit_compile: str = "auto"  # yes, no: whether XLA compiles the training step; auto: as Keras decides

    def parameters(self) -> dict[str, Any]:
        """All fields, those of the network as network.<field>: what MLflow logs."""
        own = {name: value for name, value in asdict(self).items() if name != "network"}
        return {**own, **{f"network.{name}": value for name, value in asdict(self.network).items()}}  # type: ignore[call-overload]


Run = TypeVar("Run", bound=TrainingRun)


def with_settings(run: Run, settings: Mapping[str, str]) -> Run:
    """The run with fields set from texts, by their own name or the network's.

    Raises InputError for a name that neither has, or a text that is no value of the field's type."""
    of_run = {f.name: f for f in fields(run) if f.name not in ("model", "network")}
    assert is_dataclass(run.network)
    of_network = {f.name: f for f in fields(run.network)}
    changes: dict[str, dict[str, Any]] = {"run": {}, "network": {}}
    for name, text in settings.items():
        target, known = ("run", of_run) if name in of_run else ("network", of_network)
        if name not in known:
            raise InputError(
                f"{name}={text}: {run.model} has no setting {name!r}; it has {', '.join([*of_run, *of_network])}."
            )
        current = getattr(run if target == "run" else run.network, name)
        try:
            changes[target][name] = type(current)(text)
        except ValueError:
            raise InputError(f"{name}={text}: expected a value like {current!r} ({type(current).__name__}).") from None
    return replace(run, **changes["run"], network=replace(run.network, **changes["network"]))
