"""Runs the signatures of a version that is at hand: what both faces and the warm-up do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from serving.calls import multi_inference, predict
from serving.calls.model_spec import ModelSpec
from serving.calls.multi_inference import Task
from serving.errors import InvalidArgumentError
from serving.servable import Servable

Examples = Callable[[], np.ndarray]  # gives the serialised Examples, [n]


class Inference:
    """Checks requests against signatures, and runs them."""

    def __init__(self, check_method_name: bool = False) -> None:
        """check_method_name: refuse signatures whose method_name does not fit the call."""
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
        found = predict.find_signature(servable, signature, self._check_method_name)
        fed = predict.feeds(found, inputs, decode)
        return predict.run(servable, fed, predict.wanted_outputs(found, output_filter), timeout_ms)

    def infer(
        self, servable: Servable, signature: str, method: str, examples: Examples, timeout_ms: int | None = None
    ) -> Any:
        """What classify.METHOD or regress.METHOD gives: a Classified, or an array of one float32 for each example."""
        if signature not in servable.signatures:
            raise InvalidArgumentError(f"No signature was found with the name: {signature}")
        task = Task(ModelSpec(servable.name, signature_name=signature), method)
        return self.multi_inference(servable, [task], examples, timeout_ms)[0]

    def multi_inference(
        self, servable: Servable, tasks: Sequence[Task], examples: Examples, timeout_ms: int | None = None
    ) -> list[Any]:
        """For each task a Classified, or an array of float32; all of them in one run.

        `examples` is asked once the signatures are found fit: its errors come after theirs."""
        prepared = multi_inference.prepare(servable, tasks, self._check_method_name)
        given = examples()
        fed = {found.fed.tensor: given for found in prepared}
        tensors = list(dict.fromkeys(slot.tensor for found in prepared for slot in found.fetched))
        by_tensor = dict(zip(tensors, servable.run(fed, tensors, timeout_ms), strict=True))
        return [
            multi_inference.HEADS[found.task.method].result(
                {slot.alias: by_tensor[slot.tensor] for slot in found.fetched}, len(given)
            )
            for found in prepared
        ]
