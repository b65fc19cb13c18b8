"""BentoML as its documentation writes it: a service class, an array as input, adaptive batching on.

A batched method takes one parameter; for several inputs the documentation has a list of one pydantic model."""

from typing import Annotated, Any

import bentoml
import numpy as np
from bentoml.validators import DType, Shape
from pydantic import BaseModel

from benchmarks.serving.peers import model_call

Sequences = Annotated[np.ndarray, DType("float32"), Shape((-1, 64, 16))]


class Step(BaseModel):
    """One time step with its states."""

    x: list[list[float]]
    state_h1: list[float]
    state_c1: list[float]
    state_h2: list[float]
    state_c2: list[float]


@bentoml.service(traffic={"timeout": 60})
class Classifier:
    """One worker process, as is the default."""

    def __init__(self) -> None:
        self.call = model_call.load()

    @bentoml.api(batchable=True, batch_dim=0, max_batch_size=32, max_latency_ms=1000)
    def predict(self, instances: Sequences) -> np.ndarray:
        """Class probabilities."""
        return self.call(instances)

    @bentoml.api(route="/step/rows", batchable=True, batch_dim=0, max_batch_size=32, max_latency_ms=1000)
    def step(self, inputs: list[Step]) -> list[dict[str, Any]]:
        """Class probabilities, and the states after the step."""
        rows = [row.model_dump() for row in inputs]
        given = {alias: np.array([row[alias] for row in rows], np.float32) for alias in rows[0]}
        found = model_call.parted(model_call.step(given))
        return [{alias: array.tolist() for alias, array in row.items()} for row in found]
