"""Runs the signatures of a version that is at hand: what both faces and the warm-up do."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from serving.calls import classify, multi_inference, predict, regress
from serving.calls.model_spec import ModelSpec
from serving.calls.multi_inference import Task
from serving.errors import InvalidArgumentError
from serving.servable import Servable, Soon, Wake
from serving.server_metrics import ServerMetrics
from serving.signature import Slot

APIS = {classify.METHOD: "Classify", regress.METHOD: "Regress"}
Examples = Callable[[], np.ndarray]  # gives the serialised Examples, [n]


class Inference:
    """Checks requests against signatures, and runs them."""

    def __init__(self, metrics: ServerMetrics, check_method_name: bool = False) -> None:
        """check_method_name: refuse signatures whose method_name does not fit the call."""
        self._metrics = metrics
        self._check_method_name = check_method_name

    def predict(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, Any],
        *,
        decode: Callable[[Any], np.ndarray] = np.asarray,
        output_filter: Sequence[str] = (),
        timeout_ms: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Output alias -> array. inputs: alias -> whatever `decode` makes an array of, or raises ValueError for."""
        fed, outputs = self._checked(servable, signature, inputs, decode, output_filter)
        with self._metrics.runtime(servable.name, "Predict"):
            return predict.run(servable, fed, outputs, timeout_ms)

    def begin_predict(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, Any],
        wake: Wake,
        soon: Soon | None = None,
        *,
        decode: Callable[[Any], np.ndarray] = np.asarray,
        output_filter: Sequence[str] = (),
        timeout_ms: int | None = None,
    ) -> Callable[[], dict[str, np.ndarray]]:
        """As predict(), for a servable that begins: returns at once. wake is called, on any thread, when what it
        returned gives the outputs, or raises."""
        fed, outputs = self._checked(servable, signature, inputs, decode, output_filter)
        start = time.perf_counter()
        take = predict.begin(servable, fed, outputs, timeout_ms, wake, soon)

        def taken() -> dict[str, np.ndarray]:
            found = take()
            self._metrics.ran(servable.name, "Predict", time.perf_counter() - start)
            return found

        return taken

    def _checked(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, Any],
        decode: Callable[[Any], np.ndarray],
        output_filter: Sequence[str],
    ) -> tuple[dict[str, np.ndarray], list[Slot]]:
        """What is fed, and what is fetched."""
        found = predict.find_signature(servable, signature, self._check_method_name)
        return predict.feeds(found, inputs, decode), predict.wanted_outputs(found, output_filter)

    def infer(
        self, servable: Servable, signature: str, method: str, examples: Examples, timeout_ms: int | None = None
    ) -> Any:
        """What classify.METHOD or regress.METHOD gives: a Classified, or an array of one float32 for each example."""
        if signature not in servable.signatures:
            raise InvalidArgumentError(f"No signature was found with the name: {signature}")
        task = Task(ModelSpec(servable.name, signature_name=signature), method)
        return self._run(servable, [task], examples, timeout_ms, APIS[method])[0]

    def multi_inference(
        self, servable: Servable, tasks: Sequence[Task], examples: Examples, timeout_ms: int | None = None
    ) -> list[Any]:
        """For each task a Classified, or an array of float32; all of them in one run.

        `examples` is asked once the signatures are found fit: its errors come after theirs."""
        return self._run(servable, tasks, examples, timeout_ms, "MultiInference")

    def _run(
        self, servable: Servable, tasks: Sequence[Task], examples: Examples, timeout_ms: int | None, api: str
    ) -> list[Any]:
        prepared = multi_inference.prepare(servable, tasks, self._check_method_name)
        given = examples()
        if api == "MultiInference":
            self._metrics.count_examples(servable.name, len(given))
        fed = {found.fed.tensor: given for found in prepared}
        tensors = list(dict.fromkeys(slot.tensor for found in prepared for slot in found.fetched))
        with self._metrics.runtime(servable.name, api):
            by_tensor = dict(zip(tensors, servable.run(fed, tensors, timeout_ms), strict=True))
        return [
            multi_inference.HEADS[found.task.method].result(
                {slot.alias: by_tensor[slot.tensor] for slot in found.fetched}, len(given)
            )
            for found in prepared
        ]
