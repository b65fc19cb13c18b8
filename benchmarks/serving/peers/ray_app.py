"""Ray Serve as its documentation writes it: a deployment with `serve.batch`, on one node of its own."""

import os
import signal
from typing import Any

import numpy as np
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(max_ongoing_requests=200)
class Classifier:
    """One replica."""

    def __init__(self) -> None:
        from benchmarks.serving.peers import model_call

        self.model_call, self.call = model_call, model_call.load()

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.001)
    async def batched(self, sequences: list[Any]) -> list[Any]:
        """Sequences to probabilities, one for each."""
        return list(self.call(np.stack(sequences)))

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.001)
    async def stepped(self, steps: list[Any]) -> list[Any]:
        """Single time steps to answers by alias, one for each."""
        return self.model_call.parted(self.model_call.step(self.model_call.stacked(steps)))

    async def __call__(self, request: Request) -> dict[str, Any]:
        """One sequence, or step, of the body."""
        body = await request.json()
        if "inputs" in body:
            given = {alias: np.array(values[0], np.float32) for alias, values in body["inputs"].items()}
            answer = await self.stepped(given)
            return {"outputs": {alias: [array.tolist()] for alias, array in answer.items()}}
        found = await self.batched(np.array(body["instances"][0], np.float32))
        return {"predictions": [found.tolist()]}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    deployment: Any = Classifier  # what the decorator makes of it
    serve.run(deployment.bind(), route_prefix="/predict")
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    ray.shutdown()
