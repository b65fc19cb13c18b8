"""BentoML as its documentation writes it: a service class, an array as input, adaptive batching on."""

from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import DType, Shape

from benchmarks.serving.peers import model_call

Sequences = Annotated[np.ndarray, DType("float32"), Shape((-1, 64, 16))]


@bentoml.service(traffic={"timeout": 60})
class Classifier:
    """One worker process, as is the default."""

    def __init__(self) -> None:
        self.call = model_call.load()

    @bentoml.api(batchable=True, batch_dim=0, max_batch_size=32, max_latency_ms=1000)
    def predict(self, instances: Sequences) -> np.ndarray:
        """Class probabilities."""
        return self.call(instances)
