"""MultiInference: several classifications and regressions of one input in one run of the graph.

In TensorFlow Serving: servables/tensorflow/multi_inference.cc."""

from collections.abc import Sequence
from dataclasses import dataclass

from serving.calls import classify, regress
from serving.calls.examples import INPUTS
from serving.calls.model_spec import ModelSpec
from serving.errors import InvalidArgumentError, UnimplementedError
from serving.servable import Servable
from serving.signature import Slot

HEADS = {classify.METHOD: classify, regress.METHOD: regress}


@dataclass(frozen=True)
class Task:
    """One of the inferences: a signature, by its spec, and the method."""

    spec: ModelSpec
    method: str


@dataclass(frozen=True)
class Prepared:
    """A task with the tensors that it needs: one to feed, some to fetch."""

    task: Task
    fed: Slot
    fetched: Sequence[Slot]


def prepare(servable: Servable, tasks: Sequence[Task], check_method_name: bool) -> list[Prepared]:
    """Checks the tasks in the stock order; raises INVALID_ARGUMENT or UNIMPLEMENTED."""
    prepared: list[Prepared] = []
    for task in tasks:
        _check_name(task, tasks[0], [earlier.task.spec.signature for earlier in prepared])
        signature = servable.signatures.get(task.spec.signature)
        if signature is None:
            raise InvalidArgumentError(f"Requested signature not found in model graph: {task.spec.signature}")
        if task.method not in HEADS:
            raise UnimplementedError(f"Unsupported signature method_name: {task.method}")
        aliases = HEADS[task.method].outputs(signature, check_method_name)
        prepared.append(Prepared(task, signature.inputs[INPUTS], [signature.outputs[alias] for alias in aliases]))
    return prepared


def _check_name(task: Task, first: Task, signatures: Sequence[str]) -> None:
    if not task.spec.name:
        raise InvalidArgumentError("Found ModelSpec with an empty model name.")
    if task.spec.name != first.spec.name:
        raise InvalidArgumentError("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
    if task.spec.signature in signatures:
        raise InvalidArgumentError(f"Duplicate evaluation of signature: {task.spec.signature}")
